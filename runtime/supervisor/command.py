"""What `run.py` does once its packages are installed."""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.command_line import CommandLineError
from runtime.process.child import EXIT_CONFIGURATION
from runtime.process.files import FileLock, keep_private
from runtime.settings import Settings, SettingsError, load_settings
from runtime.settings.environment import PortName, is_free
from runtime.supervisor.arguments import parse_arguments
from runtime.supervisor.closing import closing_line, left_open
from runtime.supervisor.console import Console
from runtime.supervisor.precheck import refusal
from runtime.supervisor.session import Session, stopped_by_signals
from runtime.supervisor.specs import claim_ports, known_ports, process_specs
from runtime.supervisor.summary import RunSummary, write_summary
from runtime.supervisor.view import LiveView

FRESH_FOLDERS = ("simulator", "gateway", "engine")


def main(argv: Sequence[str], program: str = "run.py") -> int:
    """Returns the exit code: 0 orderly end, 1 a process could not be kept running, 2 not started."""
    try:
        arguments = parse_arguments(argv, program)
    except CommandLineError as error:
        return _refuse(str(error))
    if arguments.process:
        return _one_process(arguments)
    try:
        settings = load_settings(
            arguments.environment, arguments.symbol, accept_real_orders=arguments.i_accept_real_orders
        )
    except SettingsError as error:
        return _refuse(str(error))
    wrong = "" if arguments.summary is None else _no_place(arguments.summary)
    if wrong:
        return _refuse(f"--summary {arguments.summary}: {wrong}")
    lock = FileLock(settings.data_dir / "supervisor.lock")
    try:
        keep_private(settings.data_dir, settings.data_dir.parent, settings.vault_dir)
        if not lock.acquire():
            return _refuse(f"{settings.environment} is already running (its lock is {lock.path})")
    except OSError as error:
        return _refuse(f"{error.filename or lock.path} cannot be written: {error.strerror}")
    try:
        accepted = arguments.i_accept_real_orders
        refused = refusal(settings, symbol=arguments.symbol, accept_real_orders=accepted, say=_say)
        if not refused and arguments.fresh:
            refused = _drop_state(settings)
        if refused:
            return _refuse(refused)
        return _run_session(settings, arguments)
    finally:
        lock.release()


def _say(line: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(f"[supervisor] {line}\n")
    sys.stdout.flush()


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return EXIT_CONFIGURATION


def _no_place(path: Path) -> str:
    """Why a file could not be written there at the end of the run; "" if it can."""
    folder = path.resolve().parent
    if path.is_dir():
        return "that is a folder; name a file"
    if not folder.is_dir():
        return f"there is no folder {folder}"
    return "" if os.access(folder, os.W_OK) else f"the folder {folder} cannot be written"


def _drop_state(settings: Settings) -> str:
    """Delete the environment's state; returns the reason if that is refused or fails, else ""."""
    if not settings.simulator.enabled:
        return (
            f"--fresh deletes orders and positions; it is for demo and paper, not for {settings.environment}"
        )
    for name in FRESH_FOLDERS:
        try:
            shutil.rmtree(settings.data_dir / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{settings.data_dir / name} cannot be deleted: {error}"
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
    # The live view cuts long lines, or has no room for them.
    for line in session.final_lines if live_view else ():
        console.say(line)
    numbers = summary.merged(seconds=session.seconds, restarts=session.restarts)
    if arguments.summary is not None:
        try:
            write_summary(arguments.summary, numbers)
        except OSError as error:
            sys.stderr.write(f"{arguments.summary} cannot be written: {error}\n")
            code = code or 1
    # Its configuration, or a strategy's file, may have been broken while the run was up.
    if code != EXIT_CONFIGURATION or session.restarts:
        as_of = summary.as_of(session.processes["engine"].ended_s)
        console.say(closing_line(settings.environment, numbers, as_of))
        for sentence in left_open(settings, summary.last_status(), numbers, as_of):
            console.say(sentence)
    console.flush()
    return code


def _one_process(arguments: argparse.Namespace) -> int:
    """Run one process in the foreground; it finds the others on the remembered ports."""
    name, accepted = arguments.process, arguments.i_accept_real_orders
    try:
        settings = load_settings(arguments.environment, arguments.symbol, accept_real_orders=accepted)
    except SettingsError as error:
        return _refuse(str(error))
    ports = known_ports(settings)
    specs = process_specs(settings, ports, symbol=arguments.symbol, accept_real_orders=accepted)
    (spec,) = (one for one in specs if one.name == name)
    report_missing_process(name, settings.environment, ports)
    command = [part for part in spec.command if part != "--exit-with-stdin"]
    return _foreground(command, {**os.environ, **spec.environment})


def report_missing_process(name: str, environment: str, ports: dict[PortName, int]) -> None:
    """Name the other process that this one would wait for silently."""
    needs: dict[str, tuple[str, PortName]] = {
        "gateway": ("simulator", "simulator"),
        "engine": ("gateway", "wire"),
    }
    other, port_name = needs.get(name, ("", "simulator"))
    port = ports.get(port_name) if other else None
    if port is not None and is_free(port):
        sys.stderr.write(
            f"nothing listens at 127.0.0.1:{port} yet: the {name} waits for the {other}; "
            f"start it in another terminal: python run.py {other} {environment}\n"
        )


def _foreground(command: list[str], environment: dict[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603  # our own programs
        # Ctrl+C reaches the child too; we end when it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    return code if code >= 0 else 128 - code
