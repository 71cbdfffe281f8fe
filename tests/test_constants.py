"""Each physical constant is written down once: in ``tengri.constants``."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from operator import add, mul, sub, truediv
from pathlib import Path

import pytest

import tengri.constants

ROOT = Path(tengri.__file__).parents[1]

#: Exported surrogates run where tengri is not installed: their reader repeats what it needs.
ALONE = {"emulator/standalone.py"}

#: Bounds and scales, and the line that begins the table of every paper on the subject.
NOT_COUNTED = {"SOFTEST_XRAY_AA", "MAX_REDSHIFT", "AA_CM", "UM_CM", "LYMAN_ALPHA_AA"}

CONSTANTS = {
    name: value
    for name, value in vars(tengri.constants).items()
    if name.isupper() and isinstance(value, float) and name not in NOT_COUNTED
}


def modules() -> list[Path]:
    found = [
        p for top in ("tengri", "emulator", "train", "tools") for p in (ROOT / top).rglob("*.py")
    ]
    home = ROOT / "tengri/constants.py"
    return [p for p in found if p != home and str(p.relative_to(ROOT)) not in ALONE]


OPERATIONS = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv, ast.Pow: pow}


def number(node: ast.expr) -> float | None:
    """Evaluate arithmetic on literals and logarithms of literals; None if there is more in it."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.BinOp(left, operation, right) if type(operation) in OPERATIONS:
            both = number(left), number(right)
            try:
                return None if None in both else OPERATIONS[type(operation)](*both)
            except (ZeroDivisionError, OverflowError):
                return None
        case ast.Call(ast.Attribute(attr="log"), [argument]):
            value = number(argument)
            return math.log(value) if value is not None and value > 0.0 else None
        case ast.Call(ast.Name("float"), [argument]):
            return number(argument)
    return None


def test_numbers_are_found_in_the_forms_that_people_write() -> None:
    for text in ("2.302585092994046", "float(np.log(10.0))", "2 * jnp.log(10) / 2"):
        assert number(ast.parse(text, mode="eval").body) == pytest.approx(math.log(10.0))
    assert number(ast.parse("365.25 * 86400.0", mode="eval").body) == tengri.constants.YR_S
    assert number(ast.parse("1.0 / 0.0", mode="eval").body) is None
    assert number(ast.parse("x * 2.0", mode="eval").body) is None


def literals(tree: ast.AST) -> Iterator[tuple[int, float]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.BinOp, ast.Call)):
            value = number(node)
            if value is not None:
                yield node.lineno, value


@pytest.fixture(scope="module")
def written() -> list[tuple[str, int, float]]:
    return [
        (str(path.relative_to(ROOT)), line, value)
        for path in modules()
        for line, value in literals(ast.parse(path.read_text()))
    ]


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_a_constant_is_defined_once(name, written):
    value = CONSTANTS[name]
    again = [
        (path, line)
        for path, line, other in written
        if other == pytest.approx(value, rel=1e-4, abs=0.0)
    ]
    assert not again, f"{name} is in tengri.constants: import it"
