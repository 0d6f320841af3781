/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text that names CPUs, classes of cores, and numbers with units: what is accepted keeps to its
 * limits, and a list that is written reads back as the same. */
#include "common/cpumask.h"
#include "common/parse.h"
#include "hostd/topology.h"
#include "tests/fuzz/fuzz.h"

static void check_list(const char *text)
{
	struct cpumask mask, back;
	char written[CPUMASK_TEXT_MAX], shorter[CPUMASK_TEXT_MAX];
	int n;

	if (cpumask_parse(text, &mask) < 0)
		return;
	n = cpumask_format(&mask, written, sizeof(written));
	REQUIRE(n >= 0 && strlen(written) == (size_t)n);
	REQUIRE(cpumask_parse(written, &back) == 0 && cpumask_equal(&mask, &back));
	REQUIRE((n == 0) == cpumask_is_empty(&mask));
	REQUIRE(cpumask_format(&mask, shorter, (size_t)n) == -ENOBUFS);
}

static void check_classes(const char *text)
{
	struct core_class classes[TOPOLOGY_CLASSES_MAX];
	struct cpumask both, seen = {};
	char message[128];
	unsigned n;

	if (topology_parse_classes(text, classes, &n, message, sizeof(message)) < 0) {
		REQUIRE(text[0] == '\0' || topology_classes_problem(text));
		return;
	}
	REQUIRE(!topology_classes_problem(text));
	REQUIRE(n <= TOPOLOGY_CLASSES_MAX);
	for (unsigned i = 0; i < n; i++) {
		REQUIRE(!cpumask_is_empty(&classes[i].cpus));
		cpumask_and(&both, &seen, &classes[i].cpus);
		REQUIRE(cpumask_is_empty(&both));
		cpumask_or(&seen, &seen, &classes[i].cpus);
	}
}

static void check_numbers(const char *text)
{
	const char *cursor = text;
	uint64_t number, same;
	char written[32];
	bool flag;

	if (parse_u64(text, &number) == 0) {
		snprintf(written, sizeof(written), "%llu", (unsigned long long)number);
		REQUIRE(parse_u64(written, &same) == 0 && same == number);
	}
	if (parse_u64_max(text, 1024, &number) == 0)
		REQUIRE(number <= 1024);
	(void)parse_bool(text, &flag);
	(void)parse_usec(text, &number);
	(void)parse_khz(text, &number);
	(void)parse_percent1024(text, &number);
	while (parse_column_u64(&cursor, &number) == 0)
		REQUIRE(cursor > text && cursor <= text + strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	check_list(text);
	check_classes(text);
	check_numbers(text);
	free(text);
	return 0;
}
