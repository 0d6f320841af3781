#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records when and where the tasks of a command run, for replay.c: record.py SECONDS COMMAND... >FILE

By a trace instance of its own, of the command and what it forks. Lines "AT TASK CPU BUSY" in microseconds, in the order of AT:
task TASK ran for BUSY on CPU from AT on. What is apart by less than MERGE is one stretch, and stretches shorter than
LEAST are left out: a guest under emulation couldn't be that quick. CPUs are counted from 0. Root; on any machine."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

TRACING = pathlib.Path("/sys/kernel/tracing")
SWITCH = re.compile(r"\[(\d+)\].* (\d+)\.(\d+): sched_switch: .*prev_pid=(\d+) .* ==> .*next_pid=(\d+) ")
FORK = re.compile(r" sched_process_fork: .* child_pid=(\d+)")
MERGE, LEAST = 200, 300


def stretches(lines, first):
    """[(begin, pid, cpu, length)] of the text of a trace, of that pid and those that it and they have forked."""
    on, found, pids = {}, [], {first}
    for line in lines:
        child = FORK.search(line)
        if child:
            pids.add(int(child[1]))
        match = SWITCH.search(line)
        if not match:
            continue
        cpu, now = int(match[1]), int(match[2]) * 1_000_000 + int(match[3])
        left, came = int(match[4]), int(match[5])
        if on.get(cpu, (0, 0))[1] == left and left in pids:
            found.append((on[cpu][0], left, cpu, now - on[cpu][0]))
        on[cpu] = (now, came)
    return sorted(found)


def merged(found):
    last, out = {}, []
    for begin, pid, cpu, length in found:
        before = last.get(pid)
        if before is not None and out[before][2] == cpu and begin - out[before][0] - out[before][3] < MERGE:
            out[before][3] = begin - out[before][0] + length
            continue
        last[pid] = len(out)
        out.append([begin, pid, cpu, length])
    return [row for row in out if row[3] >= LEAST]


def lines_of(found):
    first = found[0][0] if found else 0
    tasks = {}
    return ["%d %d %d %d" % (begin - first, tasks.setdefault(pid, len(tasks)), cpu, length)
            for begin, pid, cpu, length in found]


def record(seconds, command):
    """The lines of the trace, and the command's pid."""
    instance = TRACING / "instances" / ("record-%d" % os.getpid())
    instance.mkdir()
    try:
        (instance / "trace_clock").write_text("mono")
        (instance / "buffer_size_kb").write_text("16384")
        (instance / "options/event-fork").write_text("1")
        with subprocess.Popen(["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *command], process_group=0,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            os.waitpid(process.pid, os.WUNTRACED)
            (instance / "set_event_pid").write_text(str(process.pid))
            for event in ("sched_switch", "sched_process_fork"):
                (instance / "events/sched" / event / "enable").write_text("1")
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(seconds)
            (instance / "tracing_on").write_text("0")
            os.killpg(process.pid, signal.SIGKILL)
        return (instance / "trace").read_text(errors="replace").splitlines(), process.pid
    finally:
        instance.rmdir()


def main(seconds, *command):
    print("# AT TASK CPU BUSY (us): %s, by record.py" % " ".join(command))
    for line in lines_of(merged(stretches(*record(float(seconds), command)))):
        print(line)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: record.py SECONDS COMMAND...")
    main(*sys.argv[1:])
