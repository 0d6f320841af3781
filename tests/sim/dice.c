/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers by seed and name: xoshiro256** (Blackman and Vigna), filled by splitmix64 from the
 * seed and an FNV-1a hash of the name. */
#include "tests/sim/dice.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void dice_init(struct dice *dice, uint64_t seed, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325), state;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	state = splitmix(&seed) ^ hash;
	for (unsigned i = 0; i < 4; i++)
		dice->state[i] = splitmix(&state);
}

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

uint64_t dice_u64(struct dice *dice)
{
	uint64_t *s = dice->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t dice_between(struct dice *dice, uint64_t low, uint64_t high)
{
	uint64_t span = high - low + 1, skip, x;

	if (high <= low)
		return low;
	if (span == 0) /* all of them */
		return dice_u64(dice);
	skip = -span % span; /* 2^64 modulo span: so many would be favoured */
	do
		x = dice_u64(dice);
	while (x < skip);
	return low + x % span;
}

double dice_share(struct dice *dice)
{
	return (double)(dice_u64(dice) >> 11) * 0x1p-53;
}

/* ln(x), 0 < x, by sums and products alone: libm's last bit differs between machines. */
static double logarithm(double x)
{
	int exponent;
	double m = frexp(x, &exponent), s, square, power, sum = 0;

	if (m < 0.70710678118654752) {
		m *= 2;
		exponent--;
	}
	s = (m - 1) / (m + 1);
	square = s * s;
	power = s;
	for (int i = 1; i < 24; i += 2) {
		sum += power / i;
		power *= square;
	}
	return 2 * sum + exponent * 0.69314718055994531;
}

uint64_t dice_wait(struct dice *dice, uint64_t mean)
{
	double wait = -logarithm(1 - dice_share(dice));

	return (uint64_t)((double)mean * (wait > 20 ? 20 : wait));
}
