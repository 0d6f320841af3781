#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the eBPF programs and guestd cost the machine's own work: hackbench.py REPORT-COST SOURCE ROUNDS HACKBENCH [ARGUMENT]...
Runs hackbench (Debian's rt-tests) with the guestd of tests/bench/report-cost beside it (SOURCE: ebpf or proc) and without, in
turn, and prints each time, the medians, and the ratio with and without with the middle 95 % of what drawing the rounds
anew gives. Root, for eBPF; on any machine."""
import random
import re
import statistics
import subprocess
import sys
import time

DRAWS = 10000


def hackbench(command):
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"Time: ([\d.]+)", out).group(1))


def with_guestd(report_cost, source, command):
    guestd = subprocess.Popen([report_cost, source, "100000", "idle"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              process_group=0)
    try:
        time.sleep(1.5)
        if guestd.poll() is not None:
            sys.exit("hackbench.py: report-cost has ended")
        return hackbench(command)
    finally:
        guestd.kill()
        guestd.wait()
        time.sleep(0.5)


def ratio(rounds):
    return statistics.median(one for one, _ in rounds) / statistics.median(two for _, two in rounds)


def main(report_cost, source, number, *command):
    rounds = []
    for turn in range(int(number)):
        if turn % 2 == 0:
            one, two = with_guestd(report_cost, source, command), hackbench(command)
        else:
            two, one = hackbench(command), with_guestd(report_cost, source, command)
        rounds.append((one, two))
        print("with %.3f without %.3f" % (one, two), flush=True)
    draw = random.Random(1)
    drawn = sorted(ratio(draw.choices(rounds, k=len(rounds))) for _ in range(DRAWS))
    print("median with %.3f s, without %.3f s, ratio %.4f (%.4f .. %.4f)" % (
        statistics.median(one for one, _ in rounds), statistics.median(two for _, two in rounds), ratio(rounds),
        drawn[DRAWS // 40], drawn[-DRAWS // 40]))


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit("usage: hackbench.py REPORT-COST ebpf|proc ROUNDS HACKBENCH [ARGUMENT]...")
    main(*sys.argv[1:])
