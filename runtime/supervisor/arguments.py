"""The command line of `run.py`. Needs only the standard library: it is read before an install."""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

from runtime.command_line import CommandLineError, Parser
from runtime.control.commands import COMMANDS
from runtime.suggestions import did_you_mean

ENVIRONMENTS = ("demo", "paper", "testnet", "live")
SIMULATED = ("demo", "paper")
PROCESSES = ("simulator", "gateway", "engine")
ELSEWHERE = {
    **dict.fromkeys(("ctl", "status", "watch", "trades", "profit", *COMMANDS, "cancel-all"), "engine.ctl"),
    **dict.fromkeys(("backtest", "strategies"), "engine.backtest"),
}
"""Commands of other modules, by name."""
_SYMBOL = re.compile(r"[A-Z0-9_]{2,32}")


def parse_arguments(argv: Sequence[str], program: str = "run.py") -> argparse.Namespace:
    """`process` is "" for a whole environment. `CommandLineError`: what is wrong; --help exits.

    `program` is what a person typed, for help and errors.
    """
    if list(argv) == ["help"]:
        argv = ["--help"]
    alone = argv[0] if argv and argv[0] in PROCESSES else ""
    parser = _process_parser(program, alone) if alone else _session_parser(program)
    found = parser.parse_args(argv[1:] if alone else argv)
    found.process = alone
    _check(found)
    return found


def _session_parser(program: str) -> argparse.ArgumentParser:
    tests = f"; {program} test [PYTEST ARGUMENTS]" if program == "run.py" else ""
    parser = Parser(
        prog=program,
        description="Start exchange simulator, gateway and engine, and keep them running.",
        epilog=f"Example: {program} demo --for 60. Also: {program} simulator|gateway|engine ENV{tests}.",
        allow_abbrev=False,
    )
    _common(parser)
    parser.add_argument(
        "--for", dest="seconds", type=_positive, metavar="SECONDS", help="stop after this time"
    )
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the numbers of the run as JSON")
    parser.add_argument(
        "--fresh", action="store_true", help="delete the state of simulator, gateway and engine first"
    )
    parser.add_argument("--plain", action="store_true", help="print log lines instead of the live view")
    return parser


def _process_parser(program: str, name: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"{program} {name}", allow_abbrev=False)
    _common(parser)
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("environment", nargs="?", default="demo", help=f"one of {', '.join(ENVIRONMENTS)}")
    parser.add_argument("symbol", nargs="?", help="trade only this one, like BTCUSDT")
    parser.add_argument("--i-accept-real-orders", action="store_true", help="required by live")


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _check(found: argparse.Namespace) -> None:
    if found.environment not in ENVIRONMENTS:
        hint = did_you_mean(found.environment, (*ENVIRONMENTS, *PROCESSES, "test"))
        if found.environment in ELSEWHERE:
            hint = f" (did you mean python -m {ELSEWHERE[found.environment]}?)"
        raise CommandLineError(
            f"there is no environment {found.environment!r}{hint}; allowed: {', '.join(ENVIRONMENTS)}"
        )
    if found.symbol is not None and not _SYMBOL.fullmatch(found.symbol):
        raise CommandLineError(
            f"the second word of the command line is a symbol in capitals, like BTCUSDT, not {found.symbol!r}"
        )
    if found.process == "simulator" and found.environment not in SIMULATED:
        raise CommandLineError(f"{found.environment} has no simulator: it trades at the real exchange")
