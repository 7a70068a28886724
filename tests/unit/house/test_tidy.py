"""The rules of the house that a linter cannot know."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.places import ROOT
from tests.support.sources import sources

EXCEPTIONS = ROOT / "tests" / "tidy_exceptions.toml"
FILE_LINES = 500
FUNCTION_LINES = 70
POSIX_ONLY_MODULES = frozenset({"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp"})
POSIX_ONLY_NAMES = frozenset(
    {
        *(
            "os.fork",
            "os.forkpty",
            "os.killpg",
            "os.setsid",
            "os.setpgid",
            "os.getpgid",
            "os.mkfifo",
            "os.sync",
        ),
        *("os.getuid", "os.geteuid", "os.chown", "os.fchmod", "os.fdatasync", "os.posix_fallocate"),
        "os.sched_yield",
        *("os.O_DIRECTORY", "socket.AF_UNIX", "signal.SIGKILL", "signal.SIGHUP", "signal.SIGUSR1"),
        *("signal.SIGUSR2", "signal.SIGSTOP", "signal.SIGCONT", "signal.SIGALRM", "signal.setitimer"),
    }
)
POSIX_MODULE = "runtime/process/posix.py"
CLOCKS = frozenset(
    {
        *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter"),
        *("time.perf_counter_ns", "time.sleep", "datetime.now", "datetime.utcnow", "datetime.today"),
        *("date.today", "uuid.uuid4", "uuid.uuid1", "uuid4", "os.urandom"),
    }
)
RANDOM_MODULES = frozenset({"random", "secrets"})
DECIDING = (
    "engine/model", "engine/core", "engine/market_data", "engine/indicators", "engine/strategies",
    "engine/exits", "engine/orders", "engine/execution", "engine/risk", "engine/account",
    "engine/backtest", "gateways/wire/cursor.py", "gateways/wire/replay.py",
    "gateways/simulator/exchange",
)  # fmt: skip

WORDS_OF_ONE_EXCHANGE = {
    "an error number": r"(?<![\w.-])-[1245]\d{3}(?![\w.%-])",
    "what it calls conditional orders": r"(?i)(?<![a-z])algo(?!rithm)",
    "a type of order that it alone has": r"TAKE_PROFIT_MARKET|TRAILING_STOP_MARKET",
    "a status of order that it alone has": r"EXPIRED_IN_MATCH|NEW_INSURANCE|NEW_ADL",
    "a reason of a changed balance": r"[\"'](MARGIN_CALL|FUNDING_FEE|INSURANCE_CLEAR|ASSET_TRANSFER)",
    "an id of its own orders": r"autoclose",
    "how it counts requests": r"(?i)request_?weight|used_weight|weight_limit",
    "its addresses and parameters": r"(?i)listen_?key|recv_?window|workingType|fapi|x-mbx",
    "an event of its streams": r"ORDER_TRADE_UPDATE|[\"']ACCOUNT_UPDATE|ALGO_UPDATE",
}
"""What Binance says, and nobody else. The gateway translates it (`gateways/wire/words.py`)."""


@cache
def exceptions() -> dict[str, dict[str, str]]:
    return tomllib.loads(EXCEPTIONS.read_text("utf-8"))


def excused(rule: str, what: str) -> bool:
    return what in exceptions().get(rule, {})


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            yield f"{node.value.attr}.{node.attr}"


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        one.name: one.text.count("\n")
        for one in sources()
        if one.text.count("\n") > FILE_LINES and not excused("file_lines", one.name)
    }
    assert not long


def test_functions_fit_a_screen() -> None:
    long = {
        f"{one.name}: {name}": lines
        for one in sources()
        for name, lines in functions(one.tree)
        if lines > FUNCTION_LINES and not excused("function_lines", f"{one.name}: {name}")
    }
    assert not long


@pytest.mark.parametrize(("what", "pattern"), WORDS_OF_ONE_EXCHANGE.items())
def test_the_engine_speaks_no_exchanges_language(what: str, pattern: str) -> None:
    wrong = [
        (one.name, line.strip()[:80])
        for one in sources()
        if one.name.startswith("engine/") and not excused("words_of_one_exchange", one.name)
        for line in one.text.splitlines()
        if re.search(pattern, line)
    ]
    assert not wrong, what


def test_what_decides_reads_no_clock_and_throws_no_dice() -> None:
    wrong = [
        (one.name, name)
        for one in sources()
        if one.name.startswith(DECIDING) and not excused("clock_or_random", one.name)
        for name in (*dotted_names(one.tree), *imports(one.tree))
        if name in CLOCKS or name.split(".")[0] in RANDOM_MODULES or name.startswith("numpy.random")
    ]
    assert not wrong


def test_nothing_is_imported_by_star() -> None:
    wrong = [
        one.name
        for one in sources()
        for node in ast.walk(one.tree)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    assert not wrong


def test_what_only_posix_has_stays_in_one_module() -> None:
    wrong = [
        (one.name, name)
        for one in sources()
        if one.name != POSIX_MODULE and not one.name.startswith("tests/")
        if not excused("posix_only", one.name)
        for name in (*dotted_names(one.tree), *imports(one.tree))
        if name in POSIX_ONLY_NAMES or name.split(".")[0] in POSIX_ONLY_MODULES
    ]
    assert not wrong


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_locks_name_versions_and_hashes_but_no_index() -> None:
    for path in sorted((ROOT / "locks").glob("*.txt")):
        text = path.read_text("utf-8")
        assert "://" not in text, path.name
        assert not re.search(r"--(extra-)?index-url|--find-links|-f |-i ", text), path.name
        requirements = re.split(
            r"\n(?=[A-Za-z0-9])", text.split("\n", 1)[1] if text.startswith("#") else text
        )
        for requirement in requirements:
            if re.match(r"[A-Za-z0-9]", requirement):
                assert "==" in requirement, requirement
                assert "--hash=sha256:" in requirement, requirement


def test_no_file_names_a_path_of_one_machine() -> None:
    machine = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users/\w+)/")
    wrong = []
    for name in tracked_files():
        if name == "tests/unit/house/test_tidy.py":
            continue
        try:
            text = (ROOT / name).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [(name, line.strip()[:80]) for line in text.splitlines() if machine.search(line)]
    assert not wrong


def test_every_exception_is_needed_and_has_a_reason() -> None:
    by_name = {one.name: one for one in sources()}
    for rule, entries in exceptions().items():
        for what, reason in entries.items():
            assert len(reason) > 15, f"{rule} {what} needs a reason"
            if rule == "circles":
                continue  # test_floors.py sees whether it is needed
            name, _, function = what.partition(": ")
            assert name in by_name, f"{what} does not exist"
            if rule == "file_lines":
                assert by_name[name].text.count("\n") > FILE_LINES, f"{what} needs no exception"
            if rule == "function_lines":
                lengths = [lines for found, lines in functions(by_name[name].tree) if found == function]
                assert max(lengths, default=0) > FUNCTION_LINES, f"{what} needs no exception"


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target
