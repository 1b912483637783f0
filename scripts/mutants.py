"""What can be changed in a file so that it means something else: comparisons, arithmetic, constants, conditions."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SWAPS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "/"),
    ast.Pow: ("**", "*"), ast.Mod: ("%", "*"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
PAIRS = (("min", "max"), ("any", "all"), ("minimum", "maximum"), ("ones", "zeros"), ("floor", "ceil"))
PAIRS += (("ones_like", "zeros_like"), ("argmin", "argmax"))
NAMES = {name: other for pair in PAIRS for name, other in (pair, pair[::-1])}

INVARIANTS = {"assume_unique", "dtype", "kind", "model_config", "strict"}
"""Keywords and names that say what must hold anyway, or choose among ways to the same end."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes
    ----------
    file : Path
        What is changed.
    original : bytes
        All of it, as it was when the mutants were made.
    start, end : int
        Which bytes of it are changed.
    new : str
        What stands there instead.
    """

    file: Path
    original: bytes
    start: int
    end: int
    new: str

    @property
    def source(self) -> str:
        """The whole file, changed."""
        return (self.original[: self.start] + self.new.encode() + self.original[self.end :]).decode()

    def diff(self) -> str:
        """What is changed, in lines."""
        old, new = self.original.decode().splitlines(), self.source.splitlines()
        lines = list(difflib.unified_diff(old, new, str(self.file), "", n=1, lineterm=""))
        return "\n".join([lines[0], *lines[2:]])


class Places(ast.NodeVisitor):
    """Collects every mutant of a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._raw = file.read_bytes()
        self._lines = [0]
        for line in self._raw.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self.found: list[Mutant] = []
        self.visit(ast.parse(self._raw))

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self._raw[start:end].decode()

    def _put(self, node: ast.expr | ast.stmt, new: str) -> None:
        self.found.append(Mutant(self._file, self._raw, *self._span(node), new))

    def _swap(self, left: ast.expr, right: ast.expr, operator: ast.AST) -> None:
        """Put another operator between two expressions."""
        if type(operator) not in SWAPS:
            return
        old, new = SWAPS[type(operator)]
        begin, end = self._span(left)[1], self._span(right)[0]
        at = self._raw[begin:end].find(old.encode())
        self.found.append(Mutant(self._file, self._raw, begin + at, begin + at + len(old), new))

    def visit_Compare(self, node: ast.Compare) -> None:
        for (left, right), operator in zip(pairwise([node.left, *node.comparators]), node.ops, strict=True):
            self._swap(left, right, operator)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not isinstance(node.left, ast.Constant) or not isinstance(node.left.value, str | bytes):
            self._swap(node.left, node.right, node.op)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._swap(node.values[0], node.values[1], node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub | ast.Invert) and not isinstance(node.operand, ast.Constant):
            self._put(node, self._text(node.operand))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._put(node, str(not node.value))
        elif isinstance(node.value, int | float):
            self._put(node, repr(node.value + 1))
            self._put(node, f"({node.value - 1!r})")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._put(node.value, "None")
        self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._put(node.test, f"(not ({self._text(node.test)}))")
            self.generic_visit(node)

    visit_IfExp = visit_If

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in NAMES:
            end = self._span(node.func)[1]
            self.found.append(Mutant(self._file, self._raw, end - len(name), end, NAMES[name]))
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant) and "_log." not in self._text(node.value):
            self._put(node, "pass" if not isinstance(node.value, ast.Yield | ast.YieldFrom) else "yield from ()")
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._put(node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(name, ast.Name) and name.id in INVARIANTS for name in node.targets):
            self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in INVARIANTS:
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Nothing: Python 3.11 does not say where the expressions in it stand."""

    def visit_arg(self, node: ast.arg) -> None:
        """Nothing: an annotation changes nothing."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (node.args, *node.body):
            self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in node.body:
            self.visit(part)
