/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/inventory.c: whose CID it is, and which start of a domain. */
#include "tests/unit/test.h"

#include <ctype.h>
#include <malloc.h>

#include "hostd/inventory.h"

static struct inventory_domain domain(uint8_t uuid, int id, uint32_t cid)
{
	return (struct inventory_domain){.uuid = {uuid}, .id = id, .cid = cid};
}

static void test_by_cid(_unused_ void **state)
{
	struct inventory_domain domains[] = {domain(1, 1, 3), domain(2, 2, 0), domain(3, 3, 2),
					     domain(4, 4, UINT32_MAX), domain(5, 5, 1),
					     domain(6, 6, 70)};
	struct inventory inventory = {ARRAY_SIZE(domains), domains};

	assert_ptr_equal(inventory_by_cid(&inventory, 3), &domains[0]);
	assert_ptr_equal(inventory_by_cid(&inventory, 70), &domains[5]);
	assert_ptr_equal(inventory_by_cid(&inventory, UINT32_MAX), &domains[3]);
	assert_null(inventory_by_cid(&inventory, 4));
	/* Whatever an XML says: these are never a guest's. */
	assert_null(inventory_by_cid(&inventory, 0));
	assert_null(inventory_by_cid(&inventory, 1));
	assert_null(inventory_by_cid(&inventory, 2));
	assert_null(inventory_by_cid(&(struct inventory){}, 3));
}

/* Two domains with one CID: nobody knows whose report it is. */
static void test_doubled_cid(_unused_ void **state)
{
	struct inventory_domain domains[] = {domain(1, 1, 3), domain(2, 2, 4), domain(3, 3, 3),
					     domain(4, 4, 3)};
	struct inventory inventory = {ARRAY_SIZE(domains), domains};

	assert_null(inventory_by_cid(&inventory, 3));
	assert_ptr_equal(inventory_by_cid(&inventory, 4), &domains[1]);
	inventory.n_domains = 2;
	assert_ptr_equal(inventory_by_cid(&inventory, 3), &domains[0]);
}

static void test_same_start(_unused_ void **state)
{
	struct inventory_domain first = domain(1, 7, 3), other = domain(2, 7, 3),
				again = domain(1, 8, 3), moved = domain(1, 7, 9);
	struct inventory_domain last = first;

	last.uuid[DOMAIN_UUID - 1] = 1;
	assert_true(inventory_same_start(&first, &first));
	assert_true(inventory_same_start(&first, &moved)); /* the CID is not its identity */
	assert_false(inventory_same_start(&first, &other));
	assert_false(inventory_same_start(&first, &again));
	assert_false(inventory_same_start(&first, &last));
}

static void test_find(_unused_ void **state)
{
	struct inventory_domain domains[] = {domain(1, 1, 3), domain(1, 2, 3), domain(2, 3, 4)};
	struct inventory inventory = {ARRAY_SIZE(domains), domains};
	struct inventory_domain wanted = domain(1, 2, 99), none = domain(1, 3, 3);

	assert_ptr_equal(inventory_find(&inventory, &wanted), &domains[1]);
	assert_null(inventory_find(&inventory, &none));
	assert_null(inventory_find(&(struct inventory){}, &wanted));
}

/* Domains that start and stop and take over each other's CID: at any moment a CID is of the one that
 * has it now, or of nobody. */
static void test_reuse(_unused_ void **state)
{
	struct inventory_domain domains[8];
	struct inventory inventory = {ARRAY_SIZE(domains), domains};
	uint64_t seed = 3;
	int next_id = 1;

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++)
		domains[i] = domain((uint8_t)i, next_id++, 0);
	for (unsigned round = 0; round < 10000; round++) {
		size_t i = test_random(&seed) % ARRAY_SIZE(domains);
		uint32_t cid = test_random(&seed) % 12;
		const struct inventory_domain *owner = NULL, *found;
		unsigned owners = 0;

		domains[i] = domain((uint8_t)i, next_id++, test_random(&seed) % 12);
		for (size_t j = 0; j < ARRAY_SIZE(domains); j++)
			if (domains[j].cid == cid) {
				owner = &domains[j];
				owners++;
			}
		found = inventory_by_cid(&inventory, cid);
		EXPECT(found == (owners == 1 && cid >= 3 ? owner : NULL), "round %u", round);
	}
}

/* Each byte at each place: a digit is one, a hyphen is where one belongs, and all else is refused
 * and leaves the result alone. */
static void test_uuid_each_byte(_unused_ void **state)
{
	static const char zero[] = "00000000-0000-0000-0000-000000000000";

	for (size_t at = 0; at < strlen(zero); at++)
		for (unsigned byte = 1; byte < 256; byte++) {
			uint8_t uuid[DOMAIN_UUID], untouched[DOMAIN_UUID];
			char text[UUID_TEXT], again[UUID_TEXT];
			bool right = zero[at] == '-' ? byte == '-' : isxdigit((int)byte);

			memset(uuid, 0xa5, sizeof(uuid));
			memset(untouched, 0xa5, sizeof(untouched));
			strcpy(text, zero);
			text[at] = (char)byte;
			EXPECT(uuid_parse(text, uuid) == (right ? 0 : -EINVAL), "%s", text);
			if (!right) {
				EXPECT(memcmp(uuid, untouched, sizeof(uuid)) == 0, "%s", text);
				continue;
			}
			uuid_format(uuid, again);
			text[at] = (char)tolower((int)byte);
			assert_string_equal(again, text);
		}
}

static void test_uuid_length(_unused_ void **state)
{
	static const char whole[] = "01234567-89ab-cdef-FEDC-BA9876543210";
	static const uint8_t bytes[DOMAIN_UUID] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
						   0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
	char text[UUID_TEXT + 1];
	uint8_t uuid[DOMAIN_UUID];

	assert_int_equal(uuid_parse(whole, uuid), 0);
	assert_memory_equal(uuid, bytes, sizeof(bytes));
	for (size_t n = 0; n < strlen(whole); n++) {
		snprintf(text, sizeof(text), "%.*s", (int)n, whole);
		EXPECT(uuid_parse(text, uuid) == -EINVAL, "%s", text);
	}
	for (unsigned byte = 1; byte < 256; byte++) {
		snprintf(text, sizeof(text), "%s%c", whole, (int)byte);
		EXPECT(uuid_parse(text, uuid) == -EINVAL, "with byte %u behind it", byte);
	}
}

/* Valgrind and ASan count what isn't freed. */
static void test_clear_and_free(_unused_ void **state)
{
	struct inventory *inventory = calloc(1, sizeof(*inventory));

	inventory->n_domains = 2;
	inventory->domains = calloc(2, sizeof(*inventory->domains));
	inventory->domains[0].vcpus = calloc(4, sizeof(struct inventory_vcpu));
	inventory->domains[0].n_vcpus = 4;
	inventory_domain_clear(&inventory->domains[0]);
	assert_int_equal(inventory->domains[0].n_vcpus, 0);
	assert_null(inventory->domains[0].vcpus);
	inventory->domains[1].vcpus = calloc(1, sizeof(struct inventory_vcpu));
	assert_null(inventory_free(inventory));
	assert_null(inventory_free(NULL));
}

/* The allocator counts, too: the first rounds are for what it keeps by for later ones. */
static void test_nothing_is_left_behind(_unused_ void **state)
{
	size_t used = 0;

	for (unsigned round = 0; round < 100; round++) {
		struct inventory *inventory = calloc(1, sizeof(*inventory));

		inventory->n_domains = 3;
		inventory->domains = calloc(3, sizeof(*inventory->domains));
		for (unsigned i = 0; i < 3; i++) {
			inventory->domains[i].n_vcpus = 4;
			inventory->domains[i].vcpus = calloc(4, sizeof(struct inventory_vcpu));
		}
		inventory_free(inventory);
		if (round == 50)
			used = mallinfo2().uordblks;
	}
	assert_int_equal(mallinfo2().uordblks, used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_cid),
		cmocka_unit_test(test_doubled_cid),
		cmocka_unit_test(test_same_start),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_clear_and_free),
		cmocka_unit_test(test_uuid_each_byte),
		cmocka_unit_test(test_uuid_length),
		cmocka_unit_test(test_nothing_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
