/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A set of CPUs, and the kernel's list format for it ("0-3,8"). Pure. */
#include "common/cpumask.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"

#define WORDS ARRAY_SIZE(((struct cpumask *)0)->word)

void cpumask_clear(struct cpumask *mask)
{
	*mask = (struct cpumask){};
}

void cpumask_set(struct cpumask *mask, unsigned cpu)
{
	if (cpu < CPUMASK_CPUS)
		mask->word[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

void cpumask_unset(struct cpumask *mask, unsigned cpu)
{
	if (cpu < CPUMASK_CPUS)
		mask->word[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
}

bool cpumask_has(const struct cpumask *mask, unsigned cpu)
{
	return cpu < CPUMASK_CPUS && (mask->word[cpu / 64] >> (cpu % 64) & 1);
}

bool cpumask_is_empty(const struct cpumask *mask)
{
	return cpumask_next(mask, 0) == CPUMASK_CPUS;
}

bool cpumask_equal(const struct cpumask *a, const struct cpumask *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool cpumask_is_subset(const struct cpumask *inner, const struct cpumask *outer)
{
	for (size_t i = 0; i < WORDS; i++)
		if (inner->word[i] & ~outer->word[i])
			return false;
	return true;
}

unsigned cpumask_count(const struct cpumask *mask)
{
	unsigned count = 0;

	for (size_t i = 0; i < WORDS; i++)
		count += (unsigned)__builtin_popcountll(mask->word[i]);
	return count;
}

void cpumask_and(struct cpumask *ret, const struct cpumask *a, const struct cpumask *b)
{
	for (size_t i = 0; i < WORDS; i++)
		ret->word[i] = a->word[i] & b->word[i];
}

void cpumask_or(struct cpumask *ret, const struct cpumask *a, const struct cpumask *b)
{
	for (size_t i = 0; i < WORDS; i++)
		ret->word[i] = a->word[i] | b->word[i];
}

unsigned cpumask_next(const struct cpumask *mask, unsigned cpu)
{
	for (size_t i = cpu / 64; i < WORDS; i++) {
		uint64_t word = mask->word[i];

		if (i == cpu / 64)
			word &= ~UINT64_C(0) << (cpu % 64);
		if (word)
			return (unsigned)(i * 64) + (unsigned)__builtin_ctzll(word);
	}
	return CPUMASK_CPUS;
}

/* Reads a CPU number at *text, which then stands behind it. */
static int take_cpu(const char **text, unsigned *ret)
{
	unsigned cpu = 0;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); (*text)++) {
		cpu = cpu * 10 + (unsigned)(**text - '0');
		if (cpu >= CPUMASK_CPUS)
			return -ERANGE;
	}
	*ret = cpu;
	return 0;
}

/* Reads "4" or "0-3" at *text into mask. */
static int take_range(const char **text, struct cpumask *mask)
{
	unsigned first, last;
	int r;

	r = take_cpu(text, &first);
	if (r < 0)
		return r;
	last = first;
	if (**text == '-') {
		(*text)++;
		r = take_cpu(text, &last);
		if (r < 0)
			return r;
		if (last < first)
			return -EINVAL;
	}
	for (unsigned cpu = first; cpu <= last; cpu++)
		cpumask_set(mask, cpu);
	return 0;
}

int cpumask_parse(const char *text, struct cpumask *ret)
{
	struct cpumask mask = {};
	int r;

	if (strcmp(text, "") != 0 && strcmp(text, "\n") != 0) {
		for (;; text++) {
			r = take_range(&text, &mask);
			if (r < 0)
				return r;
			if (*text != ',')
				break;
		}
		if (strcmp(text, "") != 0 && strcmp(text, "\n") != 0)
			return -EINVAL;
	}
	*ret = mask;
	return 0;
}

int cpumask_format(const struct cpumask *mask, char *buffer, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return -ENOBUFS;
	buffer[0] = '\0';
	for (unsigned first = cpumask_next(mask, 0); first < CPUMASK_CPUS;) {
		unsigned last = first;
		int n;

		while (cpumask_has(mask, last + 1))
			last++;
		n = snprintf(buffer + used, size - used, first == last ? "%s%u" : "%s%u-%u",
			     used ? "," : "", first, last);
		if (n < 0 || (size_t)n >= size - used)
			return -ENOBUFS;
		used += (size_t)n;
		first = cpumask_next(mask, last + 1);
	}
	return (int)used;
}
