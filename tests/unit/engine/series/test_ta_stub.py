"""ta.pyi says what the catalog has, and hints name only functions that there are."""

import ast
import re

from engine.indicators.catalog import INDICATORS
from engine.series import ta
from engine.series.refused import _INSTEAD
from engine.series.stub import PATH, text


def test_the_stub_is_made_from_the_catalog():
    of_the_file, made = ast.parse(PATH.read_text("utf-8")), ast.parse(text())
    assert ast.dump(of_the_file) == ast.dump(made), "run: python -m engine.series.stub && ruff format"
    named = {node.name for node in of_the_file.body if isinstance(node, ast.FunctionDef)}
    assert named == {*INDICATORS, "indicator"} == set(dir(ta))


def test_what_to_write_instead_exists():
    named = {name for sentence in _INSTEAD.values() for name in re.findall(r"\bta\.(\w+)", sentence)}
    assert named <= set(dir(ta))
