"""Imports run downwards only, by the list in floors.toml, and an installed wheel holds what it should."""

import ast
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.support.places import ROOT
from tests.support.sources import sources

TOP_NAMES = ("engine", "gateways", "model_integration", "nextbar", "runtime")
TOP_FOLDERS = tuple(f"{name}/" for name in TOP_NAMES)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PLAN = tomllib.loads((ROOT / "tests" / "unit" / "house" / "floors.toml").read_text("utf-8"))
FLOORS: list[str] = PLAN["floors"]
UNTIED = tomllib.loads((ROOT / "tests" / "tidy_exceptions.toml").read_text("utf-8"))["circles"]


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product by its dotted name; a package is its `__init__`."""
    return {
        one.name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): one.tree
        for one in sources()
        if one.name.startswith(TOP_FOLDERS)
    }


@cache
def packages() -> frozenset[str]:
    return frozenset(
        ".".join(path.relative_to(ROOT).parent.parts)
        for top in TOP_NAMES
        for path in (ROOT / top).rglob("__init__.py")
    )


def package_of(module: str) -> str:
    return module if module in packages() else module.rpartition(".")[0]


def imported(tree: ast.Module) -> Iterator[str]:
    """Modules of the product that a module names, also inside functions and for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules() else node.module for name in within]
        else:
            continue
        yield from (name for name in names if name in modules())


@cache
def edges() -> tuple[tuple[str, str], ...]:
    """Importing module and imported module."""
    return tuple(
        (module, target)
        for module, tree in modules().items()
        for target in imported(tree)
        if target != module
    )


def is_within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def floor_of(module: str) -> int:
    """Of its package, or of the nearest package around it that has a floor."""
    package = package_of(module)
    while package and package not in FLOORS:
        package = package.rpartition(".")[0]
    return FLOORS.index(package)


def test_every_package_has_a_floor() -> None:
    bare = {
        one for one in packages() if one not in FLOORS and not any(is_within(one, name) for name in UNTIED)
    }
    assert not bare
    assert [one for one in FLOORS if one not in packages()] == []
    assert sorted(set(FLOORS)) == sorted(FLOORS)


def upward(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Those imports that lead to a higher floor."""
    return [f"{module} imports {target}" for module, target in pairs if floor_of(module) < floor_of(target)]


def test_imports_run_downwards_only() -> None:
    assert not upward(edges())


def test_an_import_upwards_is_seen_wherever_it_stands() -> None:
    lines = (
        "import engine.core.engine",
        "from engine.core import engine",
        "from engine.core.engine import Engine",
        "def f():\n    import engine.core.engine as e",
        "if TYPE_CHECKING:\n    from engine.core.engine import Engine",
    )
    for line in lines:
        found = [("engine.model.bars", target) for target in imported(ast.parse(line))]
        assert upward(found) == ["engine.model.bars imports engine.core.engine"], line


def test_imports_name_whole_paths() -> None:
    """Others would not be seen here."""
    relative = [
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_what_is_kept_apart_does_not_meet() -> None:
    wrong = [
        f"{module} imports {target}"
        for package, others in PLAN["apart"].items()
        for module, target in edges()
        if is_within(module, package) and any(is_within(target, other) for other in others)
    ]
    assert not wrong


def circle_in(folder: str) -> list[str]:
    """A circle among a folder's packages and its own modules, which count as one; [] where there is
    none."""
    depth = folder.count(".") + 2 if folder else 1
    graph: dict[str, set[str]] = {}
    for ends in edges():
        if not folder or all(is_within(end, folder) for end in ends):
            one, other = (".".join(package_of(end).split(".")[:depth]) for end in ends)
            if one != other:
                graph.setdefault(one, set()).add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("folder", ["", *sorted(packages())])
def test_no_folder_holds_a_circle(folder: str) -> None:
    circle = circle_in(folder)
    if folder in UNTIED:
        assert circle, f"{folder} needs no exception"
    else:
        assert not circle


def test_no_files_import_each_other() -> None:
    """Not in a circle either, and not for types only: each can be read after those it names."""
    graph: dict[str, set[str]] = {}
    for one, other in edges():
        graph.setdefault(one, set()).add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_a_wheel_holds_the_product_and_nothing_else() -> None:
    find = PYPROJECT["tool"]["setuptools"]["packages"]["find"]
    assert find["namespaces"] is False, "a folder without __init__.py is no package"
    assert PYPROJECT["build-system"]["build-backend"] == "setuptools.build_meta"
    folders = sorted(path.parent for path in ROOT.glob("*/__init__.py"))
    taken = [path.name for path in folders if any(fnmatch(path.name, one) for one in find["include"])]
    assert tuple(taken) == TOP_NAMES
    for top in TOP_NAMES:
        for path in (ROOT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), f"{path} would be missing from a wheel"
        within = [one for one in packages() if is_within(one, top)]
        assert all(any(fnmatch(one, pattern) for pattern in find["include"]) for one in within)
