# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks what faults are planted, in which order, and which are left out. check.sh runs it in `make check`; alone:
python3 -B check.py"""
import os
import pathlib
import select
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "bench" / "python"))
import checks
import choose
import ctext
import faults
import mutants
import tree


def body(*lines, head="static void f(void)"):
    return "%s\n{\n%s\n}\n" % (head, "\n".join("\t" + line for line in lines))


def become(text, kind=None):
    """What lines become, in the order of the text."""
    return [faults.lines_of(text, fault)[2].strip() for fault in faults.faults_of(text)
            if kind in (None, fault.kind)]


def expect(line, kind, *wanted):
    got = become(body(line), kind)
    assert got == list(wanted), "%s: %s: %s" % (line, kind, got)


def test_operators():
    expect("if (a < b)", "comparison", "if (a <= b)", "if (a >= b)")
    expect("if (a == b)", "comparison", "if (a != b)", "if (a <= b)", "if (a >= b)")
    expect("x = a + b - c;", "arithmetic", "x = a - b - c;", "x = a + b + c;")
    expect("x = a * b / c;", "arithmetic", "x = a / b / c;", "x = a * b * c;")
    expect("x += a << 2;", "arithmetic", "x -= a << 2;", "x += a >> 2;")
    expect("n++;", "arithmetic", "n--;")
    expect("if (a && b || c)", "and/or", "if (a || b || c)", "if (a && b && c)")


def test_not_every_sign_is_an_operator():
    expect("char *a = &b, *c = *d;", "arithmetic")
    expect("x = -a;", "arithmetic")
    expect("x = (struct y *)a->b;", None, "{ }")
    expect("for (i = a; b; i++)", None)


def test_names():
    expect("x = MIN(a, b);", "MIN/MAX", "x = MAX(a, b);")
    expect("x = MAX(a, b);", "MIN/MAX", "x = MIN(a, b);")
    expect("x = true;", "true/false", "x = false;")
    expect("return false;", None, "return true;")


def test_constants():
    expect("x = 0;", "constant", "x = 1;")
    expect("x = 1;", "constant", "x = 0;", "x = 2;")
    expect("x = 8U;", "constant", "x = 16U;", "x = 7U;", "x = 9U;")
    expect("x = 0x10;", "constant", "x = 0x11;", "x = 0x20;", "x = 0xf;")
    expect("x = 1.5;", "constant")
    expect("x = UINT64_C(3);", "constant", "x = UINT64_C(2);", "x = UINT64_C(4);", "x = UINT64_C(6);")


def test_conditions():
    expect("if (a(b))", "condition", "if (!(a(b)))")
    expect("while (a)", "condition", "while (!(a))")
    expect("x = !a;", "condition", "x = a;")
    expect("x = a ? b(c, d) : e;", "condition", "x = a ? e : b(c, d);")
    expect("x = a ? b : c ? d : e;", "condition", "x = a ? b : c ? e : d;")


def test_dropped_statements():
    assert become(body("f(a);", "if (b)", "\tbreak;", "else", "\tx = 'c';", "int y = z, *p = q;"), "dropped") == [
        "{ }"] * 3
    assert become(body("x = f(a,", "\tb);"), "dropped") == ["if (0) x = f(a,"]


def test_swapped_arguments():
    expect("f(a, g(b, c), d);", "swapped", "f(g(b, c), a, d);", "f(a, d, g(b, c));", "f(a, g(c, b), d);")
    expect("f(a, a);", "swapped")
    expect("x = memcmp(a, b, n) + MIN(a, b);", "swapped")


def test_returns():
    expect("return a;", "return", "return !(a);", "return (a) + 1;", "return 0;")
    expect("return 0;", "return", "return !(0);", "return (0) + 1;")
    expect("return NULL;", "return")
    expect('return "a";', "return", "return 0;")
    expect("return;", "return")


def test_indices():
    expect("x = a[i];", "index", "x = a[i + 1];", "x = a[i - 1];")
    expect("x = a[i & 7][0];", "index", "x = a[(i & 7) + 1][0];", "x = a[(i & 7) - 1][0];")
    expect("char a[N], b[M] = {c[i]};", "index", "char a[N], b[M] = {c[i + 1]};", "char a[N], b[M] = {c[i - 1]};")


def test_what_is_no_code():
    """Comments, strings, preprocessor lines, sizes of arrays, labels, types and what stands outside of functions."""
    quiet = ("/* a < 1 */ // b + 1\n#define X(a) ((a) < 1 ? \\\n\t1 : 2)\nenum { A = 1 };\n"
             "struct s { char a[16]; unsigned b : 3; };\nint f(int a[2], char b);\nstatic char c[8];\n")
    assert become(quiet) == []
    assert become(quiet + body('g("1 < 2 \\" + 3" /* 1 + 1 */, \'1\');', "char d[16];", "case 3:", "a:",
                               "static_assert(a == 4, x);", "#if 1 < 2 /* 1 + 1 */"), None) == [
        "{ }", "g('1' /* 1 + 1 */, \"1 < 2 \\\" + 3\");"]


def test_function():
    text = "int x = 1;\n" + body("a;", head="struct s *f(int (*g)(int))") + body("b;", head="void h(void)")
    code = ctext.CText(text)
    assert [code.function(text.index(what)) for what in ("1;", "a;", "b;")] == ["-", "f", "h"]


def test_tables_are_code():
    assert become("static const int a[4] = {5, b - c};\n") == [
        "static const int a[4] = {10, b - c};", "static const int a[4] = {4, b - c};",
        "static const int a[4] = {6, b - c};", "static const int a[4] = {5, b + c};"]


def test_each_differs_in_one_line():
    for path in sorted((HERE.parents[1] / "hostd").glob("*.c")):
        text = path.read_text()
        lines = text.split("\n")
        for fault in faults.faults_of(text):
            after = faults.plant(text, fault).split("\n")
            number, was, becomes = faults.lines_of(text, fault)
            assert len(after) == len(lines) and after[number - 1] == becomes != was == lines[number - 1]
            assert after[:number - 1] == lines[:number - 1] and after[number:] == lines[number:]


def test_unpaired_brackets_are_refused():
    assert "line 2" in checks.raises(ValueError, ctext.CText, "(\n]")
    assert "never closed" in checks.raises(ValueError, ctext.CText, "f(")


TEXTS = {name: body(*("x = a%d + %d;" % (i, i + 3) for i in range(20))) for name in ("p.c", "q.c", "r.c")}


def chosen(seed, count, accept=lambda mutant: True):
    return [(mutant.path, mutant.line, mutant.after) for mutant in choose.evenly(seed, TEXTS, count, accept)]


def test_a_seed_says_which():
    assert chosen("1", 30) == chosen("1", 30)
    assert chosen("1", 30) != chosen("2", 30)
    assert chosen("1", 30)[:10] == chosen("1", 10)


def test_evenly_over_files_and_lines():
    mutants = chosen("7", 32)
    assert sorted(sum(path == name for path, _line, _after in mutants) for name in TEXTS) == [10, 11, 11]
    assert len({(path, line) for path, line, _after in mutants}) == 32


def test_what_is_refused_is_replaced_in_its_file():
    mutants = chosen("7", 30, lambda mutant: mutant.kind == "arithmetic")
    assert all(" - " in after for _path, _line, after in mutants)
    assert all(sum(path == name for path, _line, _after in mutants) == 10 for name in TEXTS)
    assert len(chosen("7", 100, lambda mutant: mutant.kind == "arithmetic")) == 60   # all that there are


def test_variable_of_makefile():
    makefile = "a_pure = x.c\nb_pure = \\\n\tp.c p.h \\\n\tq.c\nif A\nb_pure += r.c\nendif\n"
    assert choose.variable(makefile, "b_pure") == ["p.c", "p.h", "q.c"]
    assert choose.variable(makefile, "a_pure") == ["x.c"]
    checks.raises(ValueError, choose.variable, makefile, "pure")


def test_all_that_decides():
    """Of the files that tests/pure.sh holds to be pure, hostd's; and what is left out, or added by hand, is still there."""
    makefile = (HERE.parents[1] / "Makefile.am").read_text()
    paths, pure = mutants.policy(makefile), choose.variable(makefile, "hostd_pure")
    assert {"hostd/arbiter.c", "hostd/level.c", "hostd/plan.c", "common/pelt.c"} <= set(paths)
    assert mutants.NO_POLICY <= set(pure)
    assert set(paths) == {path for path in pure if path.endswith(".c")} - mutants.NO_POLICY | set(mutants.SHARED_POLICY)
    for path in mutants.SHARED_POLICY:
        assert " %s" % path in makefile.split("PURE_SOURCES=")[1].splitlines()[0], path


def test_equivalent(directory):
    path = directory / "equivalent"
    path.write_text("# all\np.c f\n- x = a1 + 4;\n+ x = a1 - 4;\n  It is.\n  Really.\n\n"
                    "- x = a1 + 4;\n+ x = a1 * 4;\n  No fault.\n"
                    "p.c g\n- x = a2 + 5;\n+ x = a2 - 5;\n  Elsewhere.\nelse.c f\n- a\n+ b\n  Not looked at.\n")
    known = choose.Equivalent(path)
    mutants = [mutant for mutant in choose.mutants_of("p.c", TEXTS["p.c"]) if known.has(mutant)]
    assert [mutant.after for mutant in mutants] == ["x = a1 - 4;"]
    assert known.reasons[("p.c", "f"), "x = a1 + 4;", "x = a1 - 4;"] == ["It is.", "Really."]
    assert not any(known.has(mutant) for mutant in choose.mutants_of("q.c", TEXTS["q.c"]))
    assert known.stale(TEXTS) == [
        (("p.c", "f"), "x = a1 + 4;", "x = a1 * 4;"), (("p.c", "g"), "x = a2 + 5;", "x = a2 - 5;")]
    path.write_text("p.c\n  Why?\n")
    checks.raises(ValueError, choose.Equivalent, path)


def test_how_a_test_ends(directory):
    """It passes, fails, is killed, or hangs: then what it has started ends with it, and leaves the pipe."""
    copy = tree.Tree(directory, 1)
    copy.remove()
    copy.top = directory
    for script, wanted in (("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9)):
        assert copy._run(["/bin/sh", "-c", script], 600) == wanted, script
    ours, its = os.pipe()
    assert copy._run(["/bin/sh", "-c", "sleep 600 & sleep 600"], 0.3, its) is None
    os.close(its)
    assert select.select([ours], [], [], 300)[0] and os.read(ours, 1) == b""
    os.close(ours)


def test_what_is_copied(directory):
    copy = tree.Tree(directory, 1)
    copy.remove()
    names = ["Makefile", "config.h", "common", "x.c", "x.o", ".deps"]
    assert copy._ignore(str(directory), names) == {"Makefile", "config.h", "x.o", ".deps"}
    assert copy._ignore(str(directory / "common"), names) == {"x.o", ".deps"}


def test_the_list_can_be_read():
    assert all(choose.Equivalent(HERE / "equivalent").reasons.values())


if __name__ == "__main__":
    sys.exit(checks.run("tests/mutants", globals()))
