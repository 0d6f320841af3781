/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/entitlement.c: what the sections [domain PATTERN] of real files make of a domain. */
#include "tests/unit/test.h"

#include "hostd/entitlement.h"

#define UUID  "0a0b0c0d-1111-2222-3333-444455556666"
#define OTHER "0a0b0c0d-1111-2222-3333-444455556667"

static const uint8_t uuid[DOMAIN_UUID] = {0x0a, 0x0b, 0x0c, 0x0d, 0x11, 0x11, 0x22, 0x22,
					  0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x66, 0x66};

static char *dir, *path;
static struct host_config config;
static char complaints[2048];

static int setup(_unused_ void **state)
{
	dir = test_make_dir();
	return asprintf(&path, "%s/vmfreq.conf", dir) < 0;
}

static int teardown(_unused_ void **state)
{
	config_done(&host_config_table, &config);
	free(path);
	test_remove_dir(dir);
	return 0;
}

static void on_complaint(_unused_ void *userdata, bool is_error, _unused_ const char *file,
			 unsigned line, const char *message)
{
	size_t used = strlen(complaints);

	snprintf(complaints + used, sizeof(complaints) - used, "%u %c %s\n", line,
		 is_error ? 'E' : 'W', message);
}

static int load(const char *text)
{
	config_done(&host_config_table, &config);
	complaints[0] = '\0';
	test_write(dir, "vmfreq.conf", text);
	return config_load(path, &host_config_table, &config, NULL, on_complaint, NULL);
}

/* Which weight a domain of that name and the UUID above gets of a good file, and from where. */
static uint16_t weight_of(const char *text, const char *name, const char **ret_from)
{
	struct entitlement entitlement;

	memset(&entitlement, 0xa5, sizeof(entitlement));
	EXPECT(load(text) == 0 && *complaints == '\0', "%s: %s", text, complaints);
	entitlement_resolve(&config, name, uuid, &entitlement);
	*ret_from = entitlement.from[DOMAIN_WEIGHT];
	return entitlement.weight;
}

struct weight_row {
	const char *text, *name;
	uint16_t weight;
	const char *from; /* NULL: the default */
};

static void expect_weights(const struct weight_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *from;
		uint16_t weight = weight_of(rows[i].text, rows[i].name, &from);

		EXPECT(weight == rows[i].weight, "row %zu: %u", i, weight);
		EXPECT(rows[i].from ? from && strcmp(from, rows[i].from) == 0 : !from,
		       "row %zu: %s", i, from ?: "nowhere");
	}
}

/* Which of two sections counts, in either order. */
static void test_precedence(_unused_ void **state)
{
	static const struct weight_row rows[] = {
		{"", "web", 100, NULL},
		{"[domain db]\nweight = 7\n", "web", 100, NULL},
		{"[domain web]\n", "web", 100, NULL},
		{"[domain web]\nweight = 7\n", "web", 7, "web"},
		{"[domain web*]\nweight = 7\n", "web", 7, "web*"},
		{"[domain " UUID "]\nweight = 7\n", "web", 7, UUID},
		{"[domain " OTHER "]\nweight = 7\n", "web", 100, NULL},
		/* Of two globs the later. */
		{"[domain web*]\nweight = 7\n[domain *]\nweight = 8\n", "web", 8, "*"},
		{"[domain *]\nweight = 8\n[domain web*]\nweight = 7\n", "web", 7, "web*"},
		/* A section of its name over globs. */
		{"[domain web]\nweight = 7\n[domain *]\nweight = 8\n", "web", 7, "web"},
		{"[domain *]\nweight = 8\n[domain web]\nweight = 7\n", "web", 7, "web"},
		/* Its UUID over its name, and over globs. */
		{"[domain " UUID "]\nweight = 7\n[domain web]\nweight = 8\n", "web", 7, UUID},
		{"[domain web]\nweight = 8\n[domain " UUID "]\nweight = 7\n", "web", 7, UUID},
		{"[domain " UUID "]\nweight = 7\n[domain *]\nweight = 8\n", "web", 7, UUID},
		{"[domain *]\nweight = 8\n[domain " UUID "]\nweight = 7\n", "web", 7, UUID},
		/* What doesn't say it isn't asked. */
		{"[domain *]\nweight = 8\n[domain web]\ngoal = speed\n", "web", 8, "*"},
		{"[domain web]\nweight = 8\n[domain " UUID "]\ngoal = speed\n", "web", 8, "web"},
		/* A UUID in two forms is one domain: the later line. */
		{"[domain " UUID "]\nweight = 7\n"
		 "[domain 0A0B0C0D-1111-2222-3333-444455556666]\nweight = 8\n",
		 "web", 8, "0A0B0C0D-1111-2222-3333-444455556666"},
		/* Of a glob that stands twice each line has its own place. */
		{"[domain web*]\nweight = 7\n[domain *]\nweight = 8\n[domain web*]\ngoal = speed\n",
		 "web", 8, "*"},
		{"[domain web*]\ngoal = speed\n[domain *]\nweight = 8\n[domain web*]\nweight = 7\n",
		 "web", 7, "web*"},
	};

	expect_weights(rows, ARRAY_SIZE(rows));
}

/* A line of a drop-in is later than all of the file, also in a section that the file began. */
static void test_precedence_of_drop_ins(_unused_ void **state)
{
	static const struct weight_row rows[] = {
		{"[domain web*]\nweight = 7\n", "web", 9, "*"},
		{"[domain web]\nweight = 7\n", "web", 7, "web"},
		{"[domain w*]\nweight = 6\n[domain *]\nweight = 5\n", "web", 9, "*"},
		{"[domain w*]\nweight = 6\n[domain *]\nweight = 5\n", "db", 9, "*"},
	};

	test_write(dir, "vmfreq.conf.d/1.conf", "[domain *]\nweight = 9\n");
	expect_weights(rows, ARRAY_SIZE(rows));
	test_write(dir, "vmfreq.conf.d/2.conf", "[domain w*]\nweight = 10\n");
	expect_weights((const struct weight_row[]){{"[domain w*]\nweight = 6\n", "web", 10, "w*"},
						   {"[domain w*]\nweight = 6\n", "db", 9, "*"}},
		       2);
}

/* Names are what they are: case, blanks, dots, and what else libvirt allows. */
static void test_names(_unused_ void **state)
{
	static const struct weight_row rows[] = {
		{"[domain Web]\nweight = 7\n", "Web", 7, "Web"},
		{"[domain Web]\nweight = 7\n", "web", 100, NULL},
		{"[domain W*]\nweight = 7\n", "web", 100, NULL},
		{"[domain Web]\nweight = 7\n[domain web]\nweight = 8\n", "Web", 7, "Web"},
		{"[DOMAIN Web]\nWEIGHT = 7\n", "Web", 7, "Web"},
		{"[domain my web server]\nweight = 7\n", "my web server", 7, "my web server"},
		{"[domain my *]\nweight = 7\n", "my web server", 7, "my *"},
		{"[domain web.example.org]\nweight = 7\n", "web.example.org", 7, "web.example.org"},
		{"[domain web.example.org]\nweight = 7\n", "web-example-org", 100, NULL},
		{"[domain b\xc3\xbcro]\nweight = 7\n", "b\xc3\xbcro", 7, "b\xc3\xbcro"},
		{"[domain b?ro]\nweight = 7\n", "b\xc3\xbcro", 7, "b?ro"},
		{"[domain a:b]\nweight = 7\n", "a:b", 7, "a:b"},
		{"[domain a]b]\nweight = 7\n", "a]b", 7, "a]b"},
		{"[domain vm[[]1]]\nweight = 7\n", "vm[1]", 7, "vm[[]1]"},
		{"[domain vm[1]]\nweight = 7\n", "vm[1]", 100, NULL},
		{"[domain vm[1]]\nweight = 7\n", "vm1", 7, "vm[1]"},
		{"[domain a[*]b]\nweight = 7\n", "a*b", 7, "a[*]b"},
		{"[domain 'a]\nweight = 7\n", "'a", 7, "'a"},
		{"[domain \"]\nweight = 7\n", "\"", 7, "\""},
		{"[domain host]\nweight = 7\n", "host", 7, "host"},
		/* Written as a UUID it is one: the name of another domain isn't meant. */
		{"[domain " OTHER "]\nweight = 7\n", OTHER, 100, NULL},
	};

	expect_weights(rows, ARRAY_SIZE(rows));
}

static void test_patterns(_unused_ void **state)
{
	static const struct {
		const char *pattern, *problem;
	} rows[] = {
		{"web", NULL},
		{"web-[0-9]*", NULL},
		{UUID, NULL},
		{"\"", NULL},
		{"'a\"", NULL},
		{"", "write [domain NAME]"},
		{"\"web\"", "without quotes"},
		{"''", "without quotes"},
		{"web[0-9", "isn't closed"},
		{"web[9-0]", "ends before it begins"},
		{"b\xfcro", "save the file as UTF-8"}, /* Latin-1 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *problem = entitlement_pattern_problem(rows[i].pattern);

		EXPECT(rows[i].problem ? problem && strstr(problem, rows[i].problem) : !problem,
		       "%s: %s", rows[i].pattern, problem ?: "nothing");
	}
}

/* Every key by itself, from [host] and from sections. */
static void test_every_key(_unused_ void **state)
{
	struct entitlement entitlement;

	assert_int_equal(load("[host]\nfloor_max = 50%\ngoal = energy\nfeedback = no\n"), 0);
	entitlement_resolve(&config, "web", uuid, &entitlement);
	assert_int_equal(entitlement.floor_max1024, 512);
	assert_int_equal(entitlement.weight, ENTITLEMENT_WEIGHT);
	assert_int_equal(entitlement.goal, GOAL_ENERGY);
	assert_true(entitlement.placement);
	assert_false(entitlement.feedback);
	for (unsigned i = 0; i < DOMAIN_N_KEYS; i++)
		assert_null(entitlement.from[i]);

	assert_int_equal(load("[host]\nfloor_max = 50%\ngoal = energy\nfeedback = no\n"
			      "[domain a*]\nfloor_max = 75%\n[domain b*]\nweight = 1\n"
			      "[domain *]\ngoal = speed\n[domain ab]\nplacement = no\n"
			      "[domain " UUID "]\nfeedback = yes\n"),
			 0);
	entitlement_resolve(&config, "ab", uuid, &entitlement);
	assert_int_equal(entitlement.floor_max1024, 768); /* also above that of [host] */
	assert_int_equal(entitlement.weight, 100);
	assert_int_equal(entitlement.goal, GOAL_SPEED);
	assert_false(entitlement.placement);
	assert_true(entitlement.feedback);
	assert_string_equal(entitlement.from[DOMAIN_FLOOR_MAX], "a*");
	assert_null(entitlement.from[DOMAIN_WEIGHT]);
	assert_string_equal(entitlement.from[DOMAIN_GOAL], "*");
	assert_string_equal(entitlement.from[DOMAIN_PLACEMENT], "ab");
	assert_string_equal(entitlement.from[DOMAIN_FEEDBACK], UUID);
}

static void test_equal(_unused_ void **state)
{
	static const char other[] = "we*", same[] = "we*";
	struct entitlement a = {.floor_max1024 = 1, .from = {[DOMAIN_GOAL] = other}}, b = a;

	b.from[DOMAIN_GOAL] = same;
	assert_true(entitlement_equal(&a, &b));
	b.from[DOMAIN_GOAL] = "web";
	assert_false(entitlement_equal(&a, &b));
	b.from[DOMAIN_GOAL] = NULL;
	assert_false(entitlement_equal(&a, &b));
	assert_false(entitlement_equal(&b, &a));
	b = a;
	b.floor_max1024++;
	assert_false(entitlement_equal(&a, &b));
	b = a;
	b.weight++;
	assert_false(entitlement_equal(&a, &b));
	b = a;
	b.goal = GOAL_OFF;
	assert_false(entitlement_equal(&a, &b));
	b = a;
	b.placement = true;
	assert_false(entitlement_equal(&a, &b));
	b = a;
	b.feedback = true;
	assert_false(entitlement_equal(&a, &b));
}

/* As many sections as there may be: each domain has its own. */
static void test_many(_unused_ void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++)
		fprintf(file, "[domain Web %u%s]\nweight = %u\nfloor_max = %u%%\n", i,
			i % 3 ? "" : "-*", i + 1, i % 101);
	fclose(file);
	EXPECT(load(text) == 0, "%s", complaints);
	for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++) {
		struct entitlement entitlement;
		char name[32];

		snprintf(name, sizeof(name), "Web %u%s", i, i % 3 ? "" : "-x");
		entitlement_resolve(&config, name, uuid, &entitlement);
		assert_int_equal(entitlement.weight, i + 1);
		assert_int_equal(entitlement.floor_max1024, (i % 101 * 1024 + 50) / 100);
	}
}

#define ENTITLEMENT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENTITLEMENT_TEST(test_precedence), ENTITLEMENT_TEST(test_precedence_of_drop_ins),
		ENTITLEMENT_TEST(test_names),	   cmocka_unit_test(test_patterns),
		ENTITLEMENT_TEST(test_every_key),  cmocka_unit_test(test_equal),
		ENTITLEMENT_TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
