# SPDX-License-Identifier: LGPL-2.1-or-later
"""A C text as tokens, and where in it there is code: enough of C to plant faults in files that clang-format has
laid out, no more. Comments and preprocessor lines are no tokens; strings are tokens of their own kind."""
import collections
import re

Token = collections.namedtuple("Token", "kind text start end")
# A statement: its kind, its first token and the one behind its last. Of if, while, ... the brackets alone.
Statement = collections.namedtuple("Statement", "kind first end")

TOKEN = re.compile(r"""
    (?P<comment> /\*.*?\*/ | //[^\n]* )
  | (?P<directive> ^[ \t]*\#(?: /\*.*?\*/ | \\. | [^\n\\] )* )
  | (?P<string> "(?: \\. | [^"\\] )*" )
  | (?P<char> '(?: \\. | [^'\\] )*' )
  | (?P<number> [0-9](?: [eE][+-] | [\w.] )* )
  | (?P<name> [A-Za-z_]\w* )
  | (?P<op> <<= | >>= | \.\.\. | -> | \+\+ | -- | << | >> | [<>=!]= | && | \|\| | [-+*/%&|^]= | [^\s\w] )
""", re.X | re.M | re.S)
CLOSING = {"(": ")", "[": "]", "{": "}"}
HEADS = {"if", "while", "for", "switch"}
JUMPS = {"break", "continue", "goto"}
TYPES = {"const", "static", "struct", "union", "enum", "unsigned", "signed", "char", "short", "int", "long",
         "bool", "float", "double", "void"}
NO_CODE = {"static_assert", "_Static_assert"}


class CText:
    def __init__(self, text):
        self.text = text
        self.tokens = [Token(found.lastgroup, found.group(), *found.span()) for found in TOKEN.finditer(text)
                       if found.lastgroup not in ("comment", "directive")]
        self.match = self._brackets()
        self.statements, self.heads, self.sizes, self.labels = [], [], [], []
        self.functions = []             # name, where the body begins, where it ends
        self.code = self._code()

    def is_op(self, i, *texts):
        return 0 <= i < len(self.tokens) and self.tokens[i].kind == "op" and self.tokens[i].text in texts

    def is_spaced(self, i):
        """White space on both sides: with clang-format that is a binary operator."""
        token = self.tokens[i]
        return self.text[token.start - 1].isspace() and self.text[token.end].isspace()

    def span(self, first, end):
        """From the beginning of one token to the end of the one before `end`."""
        return self.tokens[first].start, self.tokens[end - 1].end

    def line(self, position):
        return self.text.count("\n", 0, position) + 1

    def function(self, position):
        """The name of the one whose body that is in; "-": of none."""
        return next((name for name, start, end in self.functions if start <= position < end), "-")

    def skip(self, i):
        """Behind the token, or behind the bracket that it opens."""
        return self.match.get(i, i) + 1

    def _brackets(self):
        match, stack = {}, []
        for i, token in enumerate(self.tokens):
            if self.is_op(i, *CLOSING):
                stack.append(i)
            elif self.is_op(i, *CLOSING.values()):
                if not stack or CLOSING[self.tokens[stack[-1]].text] != token.text:
                    raise ValueError("line %d: %s closes nothing" % (self.line(token.start), token.text))
                match[stack.pop()] = i
        if stack:
            raise ValueError("line %d is never closed" % self.line(self.tokens[stack[-1]].start))
        return match

    def _code(self):
        """The tokens in which faults may be: bodies of functions, and what tables outside of them begin with."""
        code, i = [], 0
        while i < len(self.tokens):
            end = self.skip(i)
            if self.is_op(i, "{") and self.is_op(i - 1, ")"):
                opening = next(first for first, last in self.match.items() if last == i - 1)
                self.functions.append((self.tokens[opening - 1].text, *self.span(i, end)))
                self._body(i + 1, end - 1)
                code.extend(range(i + 1, end - 1))
            elif self.is_op(i, "="):
                while not self.is_op(end, ";"):
                    end = self.skip(end)
                code.extend(range(i + 1, end))
            i = end
        no_code = {i for first, end in self.sizes + self.labels for i in range(first, end)}
        return [i for i in code if i not in no_code]

    def _body(self, i, end):
        while i < end:
            i = self._statement(i)

    def _statement(self, i):
        token, bracket = self.tokens[i], self.is_op(i + 1, "(")
        if self.is_op(i, "{"):
            self._body(i + 1, self.match[i])
            return self.match[i] + 1
        if self.is_op(i, ";", "}") or token.text in ("else", "do"):
            return i + 1
        if token.text in HEADS or bracket and token.text not in NO_CODE and self._is_loop(i):
            self.heads.append(Statement(token.text, i + 1, self.skip(i + 1)))
            return self.skip(i + 1)
        if token.text in ("case", "default") or self.is_op(i + 1, ":"):
            end = i
            while not self.is_op(end, ":"):
                end = self.skip(end)
            self.labels.append((i, end))
            return end + 1
        end = i
        while not self.is_op(end, ";"):
            end = self.skip(end)
        self._take(i, end + 1)
        return end + 1

    def _is_loop(self, i):
        """A macro that stands for one: NAME(...) and then neither an operator nor the end."""
        behind = self.skip(i + 1)
        return self.tokens[i].kind == "name" and (self.is_op(behind, "{") or self.tokens[behind].kind == "name")

    def _take(self, first, end):
        token = self.tokens[first]
        if token.text in NO_CODE:
            self.labels.append((first, end))
            kind = "declaration"
        elif token.text == "return":
            kind = "return"
        elif token.text in JUMPS:
            kind = "jump"
        elif self._is_declaration(first):
            kind = "declaration"
            self._take_sizes(first, end)
        else:
            kind = "expression"
        self.statements.append(Statement(kind, first, end))

    def _is_declaration(self, i):
        if self.tokens[i].kind != "name":
            return False
        return self.tokens[i].text in TYPES or self.tokens[i + 1].kind == "name" or (
            self.is_op(i + 1, "*") and not self.is_spaced(i + 1))

    def _take_sizes(self, i, end):
        """The brackets of a declaration that say how large an array is."""
        begun = False
        while i < end:
            if self.is_op(i, "=", ","):
                begun = self.is_op(i, "=")
            elif self.is_op(i, "[") and not begun:
                self.sizes.append((i, self.skip(i)))
            i = self.skip(i)
