/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/testing_listener.c: the socket's file, what stood in its place, and who connects. */
#include "tests/unit/test_testing.h"

#include "hostd/testing_listener.h"

struct fixture {
	char *dir, *path;
	struct testing_listener listener;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->dir = test_make_dir();
	assert_true(asprintf(&f->path, "%s/listen", f->dir) > 0);
	f->listener.fd = -EBADF;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->path);
	test_remove_dir(f->dir);
	free(f);
	return 0;
}

static bool is_there(const struct fixture *f)
{
	struct stat stat;

	return lstat(f->path, &stat) == 0;
}

/* A socket whose listener has gone without a word. */
static void leave_over(const struct fixture *f)
{
	struct sockaddr_un address;
	int fd = new_unix_socket(f->path, &address);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

/* Root's alone, whatever the umask, and gone with the listener. */
static void test_file(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0);
	struct stat stat;

	assert_int_equal(testing_listener_open(f->path, &f->listener), 0);
	umask(old);
	assert_int_equal(lstat(f->path, &stat), 0);
	assert_true(S_ISSOCK(stat.st_mode));
	assert_int_equal(stat.st_mode & 07777, 0600);
	assert_true(fcntl(f->listener.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(f->listener.fd, F_GETFL) & O_NONBLOCK);
	testing_listener_close(&f->listener);
	assert_false(is_there(f));
}

static void test_replaces_what_is_left_over(void **state)
{
	struct fixture *f = *state;
	int fd;

	leave_over(f);
	assert_int_equal(dial(f->path), -ECONNREFUSED);
	assert_int_equal(testing_listener_open(f->path, &f->listener), 0);
	fd = dial(f->path);
	assert_true(fd >= 0);
	close(fd);
	testing_listener_close(&f->listener);
}

static void test_leaves_what_is_in_use(void **state)
{
	struct testing_listener second = {.fd = -EBADF};
	struct fixture *f = *state;
	uid_t uid;
	int fd;

	assert_int_equal(testing_listener_open(f->path, &f->listener), 0);
	assert_int_equal(testing_listener_open(f->path, &second), -EADDRINUSE);
	assert_int_equal(second.fd, -EBADF);
	/* It still takes calls. The first was the look whether it does. */
	close(testing_listener_accept(&f->listener, &uid));
	fd = dial(f->path);
	assert_true(fd >= 0);
	close(fd);
	testing_listener_close(&f->listener);
}

static void test_leaves_what_is_no_socket(void **state)
{
	struct fixture *f = *state;

	test_write(f->dir, "listen", "somebody's");
	assert_int_equal(testing_listener_open(f->path, &f->listener), -EEXIST);
	test_assert_file(f->dir, "listen", "somebody's");
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("elsewhere", f->path), 0);
	assert_int_equal(testing_listener_open(f->path, &f->listener), -EEXIST);
	assert_true(is_there(f));
}

static void test_paths_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	char path[200];

	/* No path at all would be an abstract address, which has no mode. */
	assert_int_equal(testing_listener_open("", &f->listener), -ENOENT);
	snprintf(path, sizeof(path), "%s/missing/listen", f->dir);
	assert_int_equal(testing_listener_open(path, &f->listener), -ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(testing_listener_open(path, &f->listener), -ENAMETOOLONG);
	path[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = '\0';
	assert_int_equal(testing_listener_open(path, &f->listener), -ENAMETOOLONG);
}

/* Somebody has put another there since. */
static void test_leaves_anothers(void **state)
{
	struct fixture *f = *state;
	char other[256];

	/* Made before the first goes, so that its inode can't be the same. */
	snprintf(other, sizeof(other), "%s/other", f->dir);
	assert_int_equal(testing_listener_open(f->path, &f->listener), 0);
	test_write(f->dir, "other", "somebody's");
	assert_int_equal(rename(other, f->path), 0);
	testing_listener_close(&f->listener);
	test_assert_file(f->dir, "listen", "somebody's");
}

static void test_accept(void **state)
{
	struct fixture *f = *state;
	uid_t uid = 1;
	int fd, peer;

	assert_int_equal(testing_listener_open(f->path, &f->listener), 0);
	assert_int_equal(testing_listener_accept(&f->listener, &uid), -EAGAIN);
	assert_int_equal(uid, 1);
	peer_uid = 4711;
	fd = dial(f->path);
	peer = testing_listener_accept(&f->listener, &uid);
	assert_true(fd >= 0 && peer >= 0);
	assert_int_equal(uid, 4711);
	assert_true(fcntl(peer, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(peer, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(peer);
	testing_listener_close(&f->listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),
		TEST(test_replaces_what_is_left_over),
		TEST(test_leaves_what_is_in_use),
		TEST(test_leaves_what_is_no_socket),
		TEST(test_paths_that_cannot_be),
		TEST(test_leaves_anothers),
		TEST(test_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
