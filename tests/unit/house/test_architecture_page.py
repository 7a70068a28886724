"""docs/architecture.md names files and functions; they exist."""

import ast
import re

import pytest

from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?::\s+([\w.]+))?`", PAGE)))


def defined(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


def test_the_page_names_something() -> None:
    assert len(NAMED) > 25
    assert {"Life of a tick", "Life of an order", "Life of a crash"} <= set(re.findall(r"## (.+)", PAGE))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_the_page_names_exists(file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file()
    if name:
        assert name in defined(ast.parse(path.read_text("utf-8")))
