# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks of the benches' programs share."""
import pathlib
import re
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# Of what python3-minimal has (it has no json, for one): what may be used.
MINIMAL = {"argparse", "ast", "bisect", "heapq", "os", "pathlib", "random", "re", "signal",
           "socket", "subprocess", "sys", "time"}
HOG, HOG_PRIO, RT_PRIO = 101, 120, 49


def near(got, wanted, tolerance, what=""):
    assert abs(got - wanted) <= tolerance, "%s: %s, not %s +- %s" % (what, got, wanted, tolerance)


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as error:
        return str(error)
    raise AssertionError("no %s" % kind.__name__)


class Trace:
    """Writes what the kernel would. CPUs are idle until told."""

    def __init__(self, cpus=2, begin=1_000_000):
        self.lines, self.on, self.begin = [], {cpu: (0, 120) for cpu in range(cpus)}, begin
        self.names = {}                 # of pids; others have a hard one
        for cpu in range(cpus):
            self.event(begin, cpu, "sched_wakeup", "comm=kworker pid=%d prio=120 target_cpu=%03d" % (9 + cpu, cpu))
            self.runs(begin, cpu, 9 + cpu)
            self.idles(begin, cpu)

    def event(self, usec, cpu, name, text):
        self.lines.append((usec, "     some task-%d     [%03d] d..2. %5d.%06d: %s: %s" % (
            self.on[cpu][0], cpu, usec // 1000000, usec % 1000000, name, text)))

    def runs(self, usec, cpu, pid, prio=HOG_PRIO, left="S"):
        """pid takes the CPU; what ran there is left in that state."""
        was, was_prio = self.on[cpu]
        self.event(usec, cpu, "sched_switch", "prev_comm=%s prev_pid=%d prev_prio=%d prev_state=%s ==> "
                   "next_comm=%s next_pid=%d next_prio=%d" % (
                       self.names.get(was, "a b ==> c"), was, was_prio, left,
                       self.names.get(pid, "x prev_pid=7"), pid, prio))
        self.on[cpu] = (pid, prio)

    def idles(self, usec, cpu, left="S"):
        self.runs(usec, cpu, 0, 120, left)

    def wakes(self, usec, cpu, pid, prio=HOG_PRIO, new=False):
        self.event(usec, cpu, "sched_wakeup_new" if new else "sched_wakeup",
                   "comm=pid=1 prio=2 pid=%d prio=%d target_cpu=%03d" % (pid, prio, cpu))

    def busy(self, begin, end, cpu, pid=HOG):
        """It wakes up, runs and sleeps."""
        self.wakes(begin, cpu, pid)
        self.runs(begin, cpu, pid)
        self.idles(end, cpu)

    def migrates(self, usec, cpu, to, pid=HOG, prio=HOG_PRIO):
        self.event(usec, cpu, "sched_migrate_task", "comm=x pid=%d prio=%d orig_cpu=%d dest_cpu=%d" % (
            pid, prio, cpu, to))

    def frequency(self, usec, cpu, khz):
        self.event(usec, cpu, "cpu_frequency", "state=%d cpu_id=%d" % (khz, cpu))

    def marks(self, usec, text):
        self.event(usec, 0, "tracing_mark_write", text)

    def text(self, end=None):
        lines = [line for _usec, line in sorted(self.lines, key=lambda line: line[0])]
        if end:
            self.event(end, 0, "sched_process_exit", "comm=x pid=1 prio=120")
            lines.append(self.lines.pop()[1])
        return ["# tracer: nop", "#", "# entries-in-buffer/entries-written: %d/%d   #P:2" % (
            len(lines), len(lines))] + lines


def small_python(directory):
    """The programs there need no more than python3-minimal has; checks may."""
    paths = [*directory.glob("*.py"), *HERE.glob("*.py")]
    own = {path.stem for path in paths}
    for path in paths:
        if not path.name.startswith("check"):
            for module in re.findall(r"^\s*(?:import|from)\s+(\w+)", path.read_text(), re.M):
                assert module in MINIMAL | own, "%s needs %s" % (path.name, module)


def run(where, *namespaces):
    """Calls all functions test_*, with a directory of its own where one wants it."""
    n = 0
    for name, test in (item for names in namespaces for item in list(names.items())):
        if not name.startswith("test_"):
            continue
        if test.__code__.co_argcount:
            with tempfile.TemporaryDirectory() as directory:
                test(pathlib.Path(directory))
        else:
            test()
        n += 1
    print("PASS: %d tests of %s" % (n, where))
