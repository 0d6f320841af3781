/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/inventory.c: whose CID it is, and which start of a domain. */
#include "tests/unit/test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_cid),	   cmocka_unit_test(test_doubled_cid),
		cmocka_unit_test(test_same_start), cmocka_unit_test(test_find),
		cmocka_unit_test(test_reuse),	   cmocka_unit_test(test_clear_and_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
