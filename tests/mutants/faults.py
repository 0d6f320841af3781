# SPDX-License-Identifier: LGPL-2.1-or-later
"""All faults of one line that can be planted in a C text. Whether they compile, and whether they change anything, is
for the compiler to say."""
import collections
import re

import ctext

# What stands from start to end becomes new.
Fault = collections.namedtuple("Fault", "start end new kind")

COMPARISONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
               "==": ("!=", "<=", ">="), "!=": ("==", "<", ">")}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<", "&": "|", "|": "&"}
# What stands close to its operand, or alone.
CHANGES = {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|="}
STEPS = {"++": "--", "--": "++"}
LOGIC = {"&&": "||", "||": "&&"}
NAMES = {"MIN": "MAX", "MAX": "MIN", "true": "false", "false": "true"}
# Their arguments may change places; here the results of comparisons are only held against 0.
SYMMETRIC = {"MIN", "MAX", "memcmp", "strcmp", "strncmp", "calloc", "cpumask_equal"}
NO_CALLS = ctext.HEADS | {"return", "sizeof", "case"}
NUMBER = re.compile(r"(0[xX])?([0-9a-fA-F]+?)([uUlL]*)$")


def faults_of(text):
    """In the order of the text."""
    code = ctext.CText(text)
    found = [fault for make in (_operators, _names, _constants, _conditions, _arms, _dropped, _swapped, _returns,
                                _indices) for fault in make(code)]
    return sorted({fault for fault in found if _is_in_a_line(text, fault)})


def plant(text, fault):
    return text[:fault.start] + fault.new + text[fault.end:]


def lines_of(text, fault):
    """The line's number, the line as it is and as it becomes."""
    begin = text.rfind("\n", 0, fault.start) + 1
    end = text.index("\n", fault.end)
    line = text[begin:end]
    return (text.count("\n", 0, begin) + 1, line,
            plant(line, fault._replace(start=fault.start - begin, end=fault.end - begin)))


def _is_in_a_line(text, fault):
    return "\n" not in text[fault.start:fault.end] and text[fault.start:fault.end] != fault.new


def _operators(code):
    in_for = {i for head in code.heads if head.kind == "for" for i in range(head.first, head.end)}
    for i in code.code:
        token = code.tokens[i]
        if token.kind != "op":
            continue
        if code.is_spaced(i):
            for new in COMPARISONS.get(token.text, ()):
                yield Fault(token.start, token.end, new, "comparison")
            for table, kind in ((ARITHMETIC, "arithmetic"), (CHANGES, "arithmetic"), (LOGIC, "and/or")):
                if token.text in table:
                    yield Fault(token.start, token.end, table[token.text], kind)
        elif token.text in STEPS and i not in in_for:
            yield Fault(token.start, token.end, STEPS[token.text], "arithmetic")
        elif token.text == "!":
            yield Fault(token.start, token.end, "", "condition")


def _names(code):
    for i in code.code:
        token = code.tokens[i]
        if token.kind == "name" and token.text in NAMES:
            yield Fault(token.start, token.end, NAMES[token.text],
                        "MIN/MAX" if token.text.isupper() else "true/false")


def _constants(code):
    for i in code.code:
        token = code.tokens[i]
        number = NUMBER.match(token.text) if token.kind == "number" else None
        if not number:
            continue
        base = 16 if number[1] else 10
        value = int(number[2], base)
        for new in sorted({value + 1, abs(value - 1), value * 2} - {value}):
            yield Fault(token.start, token.end, (hex(new) if base == 16 else str(new)) + number[3], "constant")


def _conditions(code):
    for head in code.heads:
        if head.kind in ("if", "while"):
            start, end = code.span(head.first + 1, head.end - 1)
            yield Fault(start, end, "!(%s)" % code.text[start:end], "condition")


def _arms(code):
    """a ? b : c becomes a ? c : b."""
    for i in code.code:
        if not code.is_op(i, "?"):
            continue
        colon = i + 1
        while not code.is_op(colon, ":", "?"):
            colon = code.skip(colon)
        end = colon + 1
        while not code.is_op(end, ",", ";", ")", "]", "}", ":", "?"):
            end = code.skip(end)
        if code.is_op(colon, ":") and not code.is_op(end, "?"):
            (start, behind), (other, last) = code.span(i + 1, colon), code.span(colon + 1, end)
            yield Fault(start, last, code.text[other:last] + code.text[behind:other] + code.text[start:behind],
                        "condition")


def _dropped(code):
    for statement in code.statements:
        if statement.kind not in ("expression", "jump"):
            continue
        start, end = code.span(statement.first, statement.end)
        if "\n" in code.text[start:end]:
            yield Fault(start, start, "if (0) ", "dropped")
        else:
            yield Fault(start, end, "{ }", "dropped")


def _arguments(code, bracket):
    """Where each begins and ends."""
    first, i, end = bracket + 1, bracket + 1, code.match[bracket]
    while i < end:
        if code.is_op(i, ","):
            yield code.span(first, i)
            first = i + 1
        i = code.skip(i)
    if first < end:
        yield code.span(first, end)


def _swapped(code):
    for i in code.code:
        name = code.tokens[i]
        if name.kind != "name" or name.text in NO_CALLS | SYMMETRIC or not code.is_op(i + 1, "("):
            continue
        arguments = list(_arguments(code, i + 1))
        for (start, behind), (other, end) in zip(arguments, arguments[1:]):
            yield Fault(start, end, code.text[other:end] + code.text[behind:other] + code.text[start:behind],
                        "swapped")


def _returns(code):
    for statement in code.statements:
        if statement.kind != "return" or statement.end - statement.first < 3:
            continue
        start, end = code.span(statement.first + 1, statement.end - 1)
        value = code.text[start:end]
        if value in ("true", "false"):
            continue                    # _names() has them
        if value not in ("0", "NULL"):
            yield Fault(start, end, "0", "return")
        if not code.tokens[statement.first + 1].kind == "string" and value != "NULL":
            yield Fault(start, end, "!(%s)" % value, "return")
            yield Fault(start, end, "(%s) + 1" % value, "return")


def _indices(code):
    for i in code.code:
        if not code.is_op(i, "[") or not (code.tokens[i - 1].kind == "name" or code.is_op(i - 1, "]", ")")):
            continue
        start, end = code.span(i + 1, code.match[i])
        index = code.text[start:end]
        if code.tokens[i + 1].kind == "number" and code.match[i] == i + 2:
            continue                    # _constants() has them
        for off in ("+", "-"):
            yield Fault(start, end, ("(%s) %s 1" if " " in index else "%s %s 1") % (index, off), "index")
