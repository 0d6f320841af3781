# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the timetables, the reports made of them and the analysis. check.sh runs it in `make check`; alone:
python3 -B check.py"""
import pathlib
import sys

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import check_analyse
import check_plan
import checks


def test_small_python():
    checks.small_python(pathlib.Path(__file__).resolve().parent)


if __name__ == "__main__":
    sys.exit(checks.run("tests/bench/dvfs", globals(), vars(check_plan), vars(check_analyse)))
