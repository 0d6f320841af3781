# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks of the benches' programs share."""
import pathlib
import re
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# Of what python3-minimal has (it has no json, for one): what may be used.
MINIMAL = {"argparse", "ast", "heapq", "os", "pathlib", "random", "re", "signal", "socket", "subprocess", "sys", "time"}


def near(got, wanted, tolerance, what=""):
    assert abs(got - wanted) <= tolerance, "%s: %s, not %s +- %s" % (what, got, wanted, tolerance)


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as error:
        return str(error)
    raise AssertionError("no %s" % kind.__name__)


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
