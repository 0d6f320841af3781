/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers with units out of text that somebody else wrote. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Each takes the whole string or refuses it: -EINVAL if it is not of the form, -ERANGE if it does
 * not fit. No sign, no leading or trailing space. The result is written only on success. */

/* A decimal number. */
int parse_u64(const char *text, uint64_t *ret);

/* A decimal number of at most max. */
int parse_u64_max(const char *text, uint64_t max, uint64_t *ret);

/* "yes", "true", "on", "1" or "no", "false", "off", "0", in any case. */
int parse_bool(const char *text, bool *ret);

/* A time span: a decimal number, with up to 6 decimals, and a unit of us, ms, s or min. The unit
 * may be left out for 0 alone: a bare number would be somebody's guess. In microseconds. */
int parse_usec(const char *text, uint64_t *ret_usec);

/* A frequency: a number, with up to 6 decimals, and kHz, MHz or GHz, in any case. In kHz. */
int parse_khz(const char *text, uint64_t *ret_khz);

/* "50%" or "12.5%" as 1/1024 parts, rounded to the nearest: 100% is 1024. */
int parse_percent1024(const char *text, uint64_t *ret1024);

/* The next number in *cursor after spaces and tabs, which then stands behind it. For columns of
 * numbers in /proc; the number must be followed by white space or the end. */
int parse_column_u64(const char **cursor, uint64_t *ret);
