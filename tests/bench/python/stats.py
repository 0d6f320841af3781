# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is made of several numbers. None where there are none."""


def mean(values):
    return sum(values) / len(values) if values else None


def median(values):
    """The middle one, or the mean of the two."""
    ordered = sorted(values)
    if not ordered:
        return None
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def quantile(values, part):
    """The least value that this part of them is at most."""
    ordered = sorted(values)
    return ordered[max(-int(-part * len(ordered) // 1) - 1, 0)] if ordered else None


def ways(below, of):
    """In how many ways so many of them can be chosen."""
    count = 1
    for number in range(below):
        count = count * (of - number) // (number + 1)
    return count


def sign_test(pairs):
    """(less, more, p): of pairs (a, b), how often a is less or more than b, and how likely as lopsided a
    result or worse is if either is as likely as the other (both sides, exact; equal pairs don't count)."""
    less, more = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
    of, few = less + more, min(less, more)
    return less, more, min(2 * sum(ways(number, of) for number in range(few + 1)) / 2 ** of, 1.0)
