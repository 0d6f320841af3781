/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What users read of the configuration is what the daemons go by: conf/vmfreq.conf and the man page
 * name every key of both tables with its default, and none that isn't there. */
#include "tests/unit/test.h"

#include "guestd/guest_config.h"
#include "hostd/entitlement.h"
#include "hostd/host_config.h"

static char *read_source(const char *path)
{
	_cleanup_free_ char *full = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char *text = calloc(1, 65536);

	assert_true(asprintf(&full, "%s/%s", SRCDIR, path) > 0);
	file = fopen(full, "re");
	EXPECT(file && text, "%s can't be read", full);
	assert_true(fread(text, 1, 65535, file) > 0);
	return text;
}

/* The part of a text from `begin` to the next `end`. */
static char *section_of(const char *text, const char *begin, const char *end)
{
	const char *from = strstr(text, begin), *to;

	EXPECT(from, "'%s' is missing", begin);
	to = strstr(from + strlen(begin), end);
	return to ? strndup(from, (size_t)(to - from)) : strdup(from);
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* Each key's line is there once; and there are no more lines of that kind than keys. */
static void check(const char *text, const struct config_key *keys, size_t n_keys,
		  const char *before, const char *between)
{
	for (size_t i = 0; i < n_keys; i++) {
		const char *fallback = keys[i].fallback;
		char line[256];

		if (*fallback) /* else nothing stands behind the '=' */
			snprintf(line, sizeof(line), "\n%s%s%s%s\n", before, keys[i].key, between,
				 fallback);
		else
			snprintf(line, sizeof(line), "\n%s%s%.*s\n", before, keys[i].key,
				 (int)(strchr(between, '=') - between) + 1, between);
		EXPECT(count_of(text, line) == 1, "[%s] wants the line '%s'", keys[i].section,
		       line);
	}
	assert_int_equal(count_of(text, between), n_keys - count_of(text, "=\n"));
}

static void test_conf_file(_unused_ void **state)
{
	_cleanup_free_ char *text = read_source("conf/vmfreq.conf");
	_cleanup_free_ char *host = section_of(text, "\n[host]\n", "\n#[");
	_cleanup_free_ char *domain = section_of(text, "\n#[domain NAME]\n", "\n[");
	_cleanup_free_ char *guest = section_of(text, "\n[guest]\n", "\n[");

	check(host, host_config_keys, host_config_n_keys, "#", " = ");
	check(domain, host_domain_keys, DOMAIN_N_KEYS, "#", " = ");
	check(guest, guest_config_keys, guest_config_keys_n, "#", " = ");
}

static void test_man_page(_unused_ void **state)
{
	_cleanup_free_ char *text = read_source("man/vmfreq.conf.5");
	_cleanup_free_ char *host = section_of(text, ".Sh THE SECTION [host]\n", "\n.Sh");
	_cleanup_free_ char *domain = section_of(text, ".Sh THE SECTIONS [domain NAME]\n", "\n.Sh");
	_cleanup_free_ char *guest = section_of(text, ".Sh THE SECTION [guest]\n", "\n.Sh");

	check(host, host_config_keys, host_config_n_keys, ".It Cm ", " No = Ar ");
	check(domain, host_domain_keys, DOMAIN_N_KEYS, ".It Cm ", " No = Ar ");
	check(guest, guest_config_keys, guest_config_keys_n, ".It Cm ", " No = Ar ");
}

/* The man page names the keys that a reload leaves alone, and no others. */
static void test_man_page_reload(_unused_ void **state)
{
	_cleanup_free_ char *text = read_source("man/vmfreq.conf.5");
	_cleanup_free_ char *reload =
		section_of(text, "These keys take effect at the next start", "\n.Sh");

	for (size_t i = 0; i < host_config_n_keys; i++)
		EXPECT(host_config_keys[i].at_start ==
			       (count_of(reload, host_config_keys[i].key) > 0),
		       "%s", host_config_keys[i].key);
	for (size_t i = 0; i < DOMAIN_N_KEYS; i++)
		EXPECT(!host_domain_keys[i].at_start, "[domain] %s", host_domain_keys[i].key);
	for (size_t i = 0; i < guest_config_keys_n; i++)
		EXPECT(!guest_config_keys[i].at_start, "[guest] %s", guest_config_keys[i].key);
}

static void complain(void *userdata, _unused_ bool is_error, const char *file, unsigned line,
		     const char *message)
{
	print_error("%s:%u: %s\n", file, line, message);
	(*(unsigned *)userdata)++;
}

static char *uncomment(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		if (*p == '#' && (p == copy || p[-1] == '\n') && p[1] != ' ')
			memmove(p, p + 1, strlen(p));
	return copy;
}

/* Without its '#'s it is a good file that says what the defaults are, its domain section too. */
static void test_conf_file_uncommented(_unused_ void **state)
{
	_cleanup_free_ char *text = read_source("conf/vmfreq.conf"), *all = uncomment(text);
	static struct host_config config;
	struct entitlement entitlement, defaults;
	char *dir = test_make_dir(), *path;
	unsigned complaints = 0;

	test_write(dir, "vmfreq.conf", all);
	assert_true(asprintf(&path, "%s/vmfreq.conf", dir) > 0);
	assert_int_equal(
		config_load(path, &host_config_table, &config, NULL, complain, &complaints), 0);
	assert_int_equal(complaints, 0);
	assert_int_equal(config.domains.n, 1);
	entitlement_resolve(&config, "NAME", (const uint8_t[DOMAIN_UUID]){1}, &entitlement);
	for (unsigned i = 0; i < DOMAIN_N_KEYS; i++) {
		assert_string_equal(entitlement.from[i], "NAME");
		entitlement.from[i] = NULL;
	}
	config_done(&host_config_table, &config);
	config_defaults(host_config_keys, host_config_n_keys, &config);
	entitlement_resolve(&config, "NAME", (const uint8_t[DOMAIN_UUID]){1}, &defaults);
	assert_true(entitlement_equal(&entitlement, &defaults));
	test_remove_dir(dir);
	free(path);
}

/* The file as it is installed is taken without a word of complaint, and changes nothing. */
static void test_conf_file_loads(_unused_ void **state)
{
	static struct host_config host, host_defaults;
	static struct guest_config guest, guest_defaults;
	unsigned complaints = 0;

	config_defaults(host_config_keys, host_config_n_keys, &host_defaults);
	config_defaults(guest_config_keys, guest_config_keys_n, &guest_defaults);
	assert_int_equal(config_load(SRCDIR "/conf/vmfreq.conf", &host_config_table, &host, NULL,
				     complain, &complaints),
			 0);
	assert_int_equal(config_load(SRCDIR "/conf/vmfreq.conf", &guest_config_table, &guest, NULL,
				     complain, &complaints),
			 0);
	assert_int_equal(complaints, 0);
	assert_memory_equal(&host, &host_defaults, sizeof(host));
	assert_memory_equal(&guest, &guest_defaults, sizeof(guest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conf_file),
		cmocka_unit_test(test_man_page),
		cmocka_unit_test(test_man_page_reload),
		cmocka_unit_test(test_conf_file_loads),
		cmocka_unit_test(test_conf_file_uncommented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
