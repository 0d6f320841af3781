# SPDX-License-Identifier: LGPL-2.1-or-later
"""A copy of the sources that is configured and built once, and in which faults are planted: the sources themselves
are never written to."""
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# What a build in the source tree leaves there, and what is only in the way: at the top, and anywhere.
AT_TOP = {".git", "autom4te.cache", "config.status", "config.log", "config.h", "stamp-h1", "Makefile"}
ANYWHERE = shutil.ignore_patterns(".deps", ".dirstamp", "*.o", "*.a", "*.log", "*.trs", "*.skel.h", "__pycache__")
SKIPPED = 77
MEMORY = 2 << 30
TEST_SECONDS, CHECK_SECONDS = 60, 1800      # for what may hang, besides 20 times what it takes without a fault


class Failed(Exception):
    pass


def _limit():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


class Tree:
    def __init__(self, source, jobs):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="vmfreq-mutants-"))
        self.top, self.source, self.jobs = self.scratch / "tree", pathlib.Path(source), jobs
        self.seconds, self.objects = {}, {}

    def remove(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    # -- building --------------------------------------------------------------------------------
    def prepare(self, targets):
        """Copies, configures and builds them."""
        shutil.copytree(self.source, self.top, symlinks=True, ignore=self._ignore)
        if not (self.top / "configure").exists():
            self._must(["autoreconf", "-fi"])
        self._must(["./configure", "--disable-dependency-tracking", "CFLAGS=-O2"])
        self._must(self._make("all", *targets))        # some tests call the programs

    def _ignore(self, directory, names):
        at_top = AT_TOP & set(names) if pathlib.Path(directory) == self.source else set()
        return ANYWHERE(directory, names) | at_top

    def _make(self, *targets):
        return ["make", "-s", "-j%d" % self.jobs, *targets]

    def _must(self, command):
        log = self.scratch / "log"
        with open(log, "ab") as output:
            if subprocess.run(command, cwd=self.top, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                              check=False).returncode != 0:
                tail = log.read_text(errors="replace").splitlines()[-20:]
                raise Failed("%s failed:\n%s" % (" ".join(command), "\n".join(tail)))

    def object_of(self, path):
        """automake puts the library's name before it."""
        path = pathlib.Path(path)
        found = [*(self.top / path.parent).glob("lib*_a-%s.o" % path.stem),
                 *(self.top / path.parent).glob(path.stem + ".o")]
        if not found:
            raise Failed("%s has no object" % path)
        return found[0]

    def write(self, path, text):
        (self.top / path).write_text(text)

    def differs(self, path):
        """Whether the source as it stands compiles, to another object than it did at first."""
        target = self.object_of(path)
        if path not in self.objects:
            raise Failed("%s was not looked at before" % path)
        made = subprocess.run(self._make(str(target.relative_to(self.top))), cwd=self.top, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return made.returncode == 0 and target.read_bytes() != self.objects[path]

    def look(self, path):
        self.objects[path] = self.object_of(path).read_bytes()

    # -- testing ---------------------------------------------------------------------------------
    def _symbols(self, path, *options):
        made = subprocess.run(["nm", "--format=posix", "--defined-only", *options, str(path)],
                              stdout=subprocess.PIPE, check=True, text=True)
        return {line.split()[0] for line in made.stdout.splitlines() if line and not line.endswith(":")}

    def tests_of(self, path, tests):
        """Those that link its object: its own, then the others that are of pure files, then the rest; the quick ones
        first."""
        symbols = self._symbols(self.object_of(path), "--extern-only")
        seeing = [test for test in tests if self._symbols(self.top / test) & symbols]
        own = "test-" + pathlib.Path(path).stem.replace("_", "-")
        pure = {"test-" + pathlib.Path(other).stem.replace("_", "-") for other in self.objects}

        def rank(test):
            name = pathlib.Path(test).name
            return not (name == own or name.startswith(own + "-")), name not in pure, self.seconds[test]

        return sorted(seeing, key=rank)

    def _run(self, command, seconds, output=subprocess.DEVNULL, limit=None):
        """Its status; None: it didn't come to an end. What it started ends with it."""
        environment = dict(os.environ, srcdir=".", builddir=".", LC_ALL="C")
        child = subprocess.Popen(command, cwd=self.top, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=limit)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()

    def try_without_fault(self, tests):
        """The tests that pass; one that fails ends it all."""
        passing = []
        for test in tests:
            begin = time.monotonic()
            status = self._run(["./" + test], TEST_SECONDS * 10, limit=_limit)
            self.seconds[test] = time.monotonic() - begin
            if status == 0:
                passing.append(test)
            elif status == SKIPPED:
                print("%s can't run here" % test, file=sys.stderr)
            else:
                raise Failed("%s fails without a fault" % test)
        return passing

    def finds(self, test):
        """None, or how: a test that fails has to do so twice."""
        made = self._run(self._make(test), CHECK_SECONDS)
        if made != 0:
            raise Failed("%s can't be built" % test)
        seconds = TEST_SECONDS + 20 * self.seconds[test]
        for _attempt in range(2):
            status = self._run(["./" + test], seconds, limit=_limit)
            if status is None:
                return "hangs"
            if status in (0, SKIPPED):
                return None
        return "fails" if status > 0 else "killed by signal %d" % -status

    def check(self):
        """The tests that `make check` says have failed; None: it didn't come to an end."""
        log = self.scratch / "check"
        with open(log, "wb") as output:
            status = self._run([*self._make("-k", "check")], CHECK_SECONDS, output)
        if status is None:
            return None
        failed = re.findall(r"^(?:FAIL|ERROR): (\S+)", log.read_text(errors="replace"), re.M)
        if status != 0 and not failed:
            raise Failed("make check failed without a test:\n" + log.read_text(errors="replace")[-2000:])
        return failed
