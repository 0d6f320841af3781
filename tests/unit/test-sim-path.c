/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's path between a guest and the host. */
#include "tests/sim/path_model.h"
#include "tests/unit/test.h"

/* What an end was told, and when. */
struct end {
	struct queue *queue;
	unsigned ups, downs;
	char text[128];
	uint64_t last_nsec;
};

static void on_up(void *userdata)
{
	struct end *end = userdata;

	end->ups++;
	end->last_nsec = queue_now(end->queue);
}

static void on_bytes(void *userdata, const uint8_t *bytes, size_t size)
{
	struct end *end = userdata;
	size_t n = strlen(end->text);

	assert_true(n + size < sizeof(end->text));
	memcpy(end->text + n, bytes, size);
	end->text[n + size] = '\0';
	end->last_nsec = queue_now(end->queue);
}

static void on_down(void *userdata)
{
	struct end *end = userdata;

	end->downs++;
	end->last_nsec = queue_now(end->queue);
}

static const struct path_ops ops = {on_up, on_bytes, on_down};

static struct path *new_path(const struct path_config *config, uint64_t seed, struct end end[2])
{
	struct path *path;

	memset(end, 0, 2 * sizeof(*end));
	end[0].queue = end[1].queue = queue_new();
	path = path_new(end[0].queue, config, seed, "a");
	path_attach(path, PATH_GUEST, &ops, &end[PATH_GUEST]);
	path_attach(path, PATH_HOST, &ops, &end[PATH_HOST]);
	return path;
}

static void send_text(struct path *path, enum path_end from, const char *text)
{
	assert_int_equal(path_send(path, from, (const uint8_t *)text, strlen(text)), 0);
}

static void end_path(struct path *path, struct end end[2])
{
	path_free(path);
	queue_free(end[0].queue);
}

static void test_takes_its_delay(_unused_ void **state)
{
	const struct path_config config = {.delay_nsec = 50};
	struct end end[2];
	struct path *path = new_path(&config, 1, end);

	assert_int_equal(path_send(path, PATH_GUEST, (const uint8_t *)"x", 1), -ENOTCONN);
	path_connect(path);
	queue_run(end[0].queue, 49);
	assert_int_equal(end[PATH_HOST].ups, 0);
	queue_run(end[0].queue, 100);
	assert_int_equal(end[PATH_HOST].ups, 1);
	assert_int_equal(end[PATH_GUEST].ups, 1);
	send_text(path, PATH_GUEST, "one");
	queue_run(end[0].queue, 149);
	assert_string_equal(end[PATH_HOST].text, "");
	queue_run(end[0].queue, 150);
	assert_string_equal(end[PATH_HOST].text, "one");
	end_path(path, end);
}

static void test_nothing_overtakes(_unused_ void **state)
{
	const struct path_config config = {
		.delay_nsec = 10, .jitter_nsec = 1000, .stall_share = 0.2, .stall_nsec = 100000};
	struct end end[2];
	struct path *path = new_path(&config, 3, end);

	path_connect(path);
	queue_run(end[0].queue, 1000000);
	for (char c = 'a'; c <= 'z'; c++) {
		send_text(path, PATH_GUEST, (char[]){c, '\0'});
		queue_run(end[0].queue, queue_now(end[0].queue) + 5);
	}
	path_close(path, PATH_GUEST);
	queue_run(end[0].queue, 100000000);
	assert_string_equal(end[PATH_HOST].text, "abcdefghijklmnopqrstuvwxyz");
	assert_int_equal(end[PATH_HOST].downs, 1);
	assert_int_equal(end[PATH_GUEST].downs, 0);
	end_path(path, end);
}

static void test_a_cut_loses_what_is_under_way(_unused_ void **state)
{
	const struct path_config config = {.delay_nsec = SIM_SEC, .cut_every_nsec = SIM_SEC};
	struct end end[2];
	struct path *path = new_path(&config, 1, end);

	path_connect(path);
	queue_run(end[0].queue, 2 * SIM_SEC);
	assert_int_equal(end[PATH_GUEST].ups, 1);
	while (end[PATH_GUEST].downs == 0) {
		if (path_is_up(path, PATH_GUEST))
			send_text(path, PATH_HOST, "-");
		queue_run(end[0].queue, queue_now(end[0].queue) + SIM_SEC / 10);
	}
	assert_int_equal(end[PATH_HOST].downs, 1);
	end[PATH_GUEST].text[0] = '\0';
	queue_run(end[0].queue, queue_now(end[0].queue) + 5 * SIM_SEC);
	assert_string_equal(end[PATH_GUEST].text, "");
	path_connect(path);
	while (end[PATH_GUEST].ups == 1)
		queue_run(end[0].queue, queue_now(end[0].queue) + SIM_SEC / 10);
	end_path(path, end);
}

static uint64_t arrival_of(uint64_t seed)
{
	const struct path_config config = {.delay_nsec = 1000, .jitter_nsec = 100000};
	struct end end[2];
	struct path *path = new_path(&config, seed, end);
	uint64_t at;

	path_connect(path);
	queue_run(end[0].queue, SIM_SEC);
	send_text(path, PATH_GUEST, "x");
	queue_run(end[0].queue, 2 * SIM_SEC);
	at = end[PATH_HOST].last_nsec;
	end_path(path, end);
	return at;
}

static void test_goes_by_its_seed(_unused_ void **state)
{
	assert_int_equal(arrival_of(1), arrival_of(1));
	assert_int_not_equal(arrival_of(1), arrival_of(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_its_delay),
		cmocka_unit_test(test_nothing_overtakes),
		cmocka_unit_test(test_a_cut_loses_what_is_under_way),
		cmocka_unit_test(test_goes_by_its_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
