"""The command line behind `run.py`, once the environment is there."""

import argparse
import asyncio
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from settings import ENVIRONMENTS, Settings, SettingsError, load_settings
from supervisor.console import Console
from supervisor.files import FileLock
from supervisor.precheck import refusal
from supervisor.process import CONFIGURATION_ERROR
from supervisor.session import Session, stopped_by_signals
from supervisor.specs import START_ORDER, claim_ports, known_ports, process_specs
from supervisor.summary import RunSummary, write_summary
from supervisor.view import LiveView

FRESH_FOLDERS = ("simulator", "gateway", "engine")


def main(argv: Sequence[str]) -> int:
    """Returns the exit code: 0 orderly, 1 a process could not be kept up, 2 nothing was started."""
    if argv and argv[0] in START_ORDER:
        return _one_process(argv[0], argv[1:])
    arguments = _session_parser().parse_args(argv)
    try:
        settings = load_settings(
            arguments.environment, arguments.symbol, accept_real_orders=arguments.i_accept_real_orders
        )
    except SettingsError as error:
        return _refuse(str(error))
    folder = arguments.summary.resolve().parent if arguments.summary is not None else None
    if folder is not None and not folder.is_dir():
        return _refuse(f"--summary {arguments.summary}: there is no folder {folder}")
    lock = FileLock(settings.data_dir / "supervisor.lock")
    try:
        if not lock.acquire():
            return _refuse(f"{settings.environment} is running already (its lock is {lock.path})")
    except OSError as error:
        return _refuse(f"{lock.path} cannot be written: {error.strerror}")
    try:
        accepted = arguments.i_accept_real_orders
        refused = refusal(settings, symbol=arguments.symbol, accept_real_orders=accepted)
        if not refused and arguments.fresh:
            refused = _drop_state(settings)
        if refused:
            return _refuse(refused)
        return _run_session(settings, arguments)
    finally:
        lock.release()


def _session_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Start exchange simulator, gateway and engine, and keep them running.",
        epilog="Also: run.py test [PYTEST ARGUMENTS]; run.py simulator|gateway|engine ENV.",
    )
    parser.add_argument("environment", nargs="?", default="demo", help=f"one of {', '.join(ENVIRONMENTS)}")
    parser.add_argument("symbol", nargs="?", help="trade only this one, as BTCUSDT")
    parser.add_argument("--for", dest="seconds", type=_positive, metavar="SECONDS", help="stop by itself")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="write the run's numbers as JSON")
    parser.add_argument("--fresh", action="store_true", help="drop simulator, gateway and engine state first")
    parser.add_argument("--plain", action="store_true", help="log lines instead of the live view")
    parser.add_argument("--i-accept-real-orders", action="store_true", help="needed by live")
    return parser


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return seconds


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return CONFIGURATION_ERROR


def _drop_state(settings: Settings) -> str:
    """Delete the environment's state; returns why not where that would forget real orders."""
    if not settings.simulator.enabled:
        return (
            f"--fresh forgets orders and positions; it is for demo and paper, not for {settings.environment}"
        )
    for name in FRESH_FOLDERS:
        try:
            shutil.rmtree(settings.data_dir / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{settings.data_dir / name} cannot be dropped: {error}"
    return ""


def _run_session(settings: Settings, arguments: argparse.Namespace) -> int:
    live_view = sys.stdout.isatty() and not arguments.plain
    console = Console(settings.data_dir / "logs" / "nextbar.log", quiet=live_view)
    specs = process_specs(
        settings,
        claim_ports(settings),
        symbol=arguments.symbol,
        accept_real_orders=arguments.i_accept_real_orders,
    )
    summary = RunSummary(settings.summary_path)

    async def run() -> tuple[int, Session]:
        session = Session(specs, console, summary)
        async with stopped_by_signals(session):
            if live_view:
                async with LiveView(settings, session, console):
                    return await session.run(arguments.seconds), session
            return await session.run(arguments.seconds), session

    try:
        code, session = asyncio.run(run())
    finally:
        console.close()
    numbers = summary.merged(seconds=session.seconds, restarts=session.restarts)
    if arguments.summary is not None:
        try:
            write_summary(arguments.summary, numbers)
        except OSError as error:
            sys.stderr.write(f"{arguments.summary} cannot be written: {error}\n")
            code = code or 1
    if code != CONFIGURATION_ERROR:
        console.say(closing_line(settings.environment, numbers))
    return code


def closing_line(environment: str, numbers: dict[str, object]) -> str:
    """One sentence after the end."""
    return (
        f"{environment} ran {numbers['seconds']:.0f} s: {numbers['candles']} candles, "
        f"{numbers['signals']} signals, {numbers['orders']} orders, {numbers['fills']} fills, "
        f"{numbers['rejects']} rejects, {numbers['restarts']} restarts, wallet {numbers['wallet_balance']}"
    )


def _one_process(name: str, argv: Sequence[str]) -> int:
    """Run one process in the foreground; it meets the others on the remembered ports."""
    parser = argparse.ArgumentParser(prog=f"run.py {name}")
    parser.add_argument("environment", nargs="?", default="demo", help=f"one of {', '.join(ENVIRONMENTS)}")
    parser.add_argument("symbol", nargs="?", help="only this one, as BTCUSDT")
    parser.add_argument("--i-accept-real-orders", action="store_true", help="needed by live")
    arguments = parser.parse_args(argv)
    accepted = arguments.i_accept_real_orders
    try:
        settings = load_settings(arguments.environment, arguments.symbol, accept_real_orders=accepted)
    except SettingsError as error:
        return _refuse(str(error))
    specs = process_specs(
        settings, known_ports(settings), symbol=arguments.symbol, accept_real_orders=accepted
    )
    for spec in specs:
        if spec.name == name:
            command = [part for part in spec.command if part != "--exit-with-stdin"]
            return _foreground(command, {**os.environ, **spec.environment})
    return _refuse(f"{settings.environment} has no {name}: it trades at the exchange itself")


def _foreground(command: list[str], environment: dict[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603  # our own programs
        # Ctrl+C reaches the child too, and the child's end is ours.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    return code if code >= 0 else 128 - code
