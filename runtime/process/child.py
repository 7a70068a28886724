"""What simulator, gateway and engine share: command line, heartbeat, and when to stop.

The supervisor holds the writing end of every child's stdin. When it stops a child, or dies for whatever
reason, that pipe closes and the child ends: the only way that works on every platform.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.command_line import CommandLineError, Parser
from runtime.process.heartbeat import begin_to_beat

EXIT_CONFIGURATION = 2
"""Exit code of a process whose configuration is wrong: starting it again would not help."""
EXIT_FORCED = 70
"""Exit code of a process that hung when it was asked to stop."""
FORCE_AFTER_SECONDS = 10.0
WAS_UP_VARIABLE = "NEXTBAR_WAS_UP"
"""Set when this process was up earlier in this run: it is restarted, not started."""
OWN_SESSION: dict[str, Any] = {
    "start_new_session": True,
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
}
"""Arguments for starting a child that Ctrl+C does not reach; its parent stops it in order."""


@dataclass(frozen=True, slots=True)
class ProcessArguments:
    """Command line of gateway and engine."""

    environment: str
    symbol: str | None
    accept_real_orders: bool
    exit_with_stdin: bool
    check: bool = False


def parse_arguments(
    description: str, argv: Sequence[str] | None = None, *, can_check: bool = False
) -> ProcessArguments:
    """`[ENV] [SYMBOL] [--i-accept-real-orders] [--exit-with-stdin]`; wrong arguments end with code 2.

    `can_check` adds `--check`: check the configuration, start nothing.
    """
    parser = Parser(description=description)
    parser.add_argument("environment", nargs="?", default="demo", help="demo, paper, testnet or live")
    parser.add_argument("symbol", nargs="?", help="trade only this one, like BTCUSDT")
    parser.add_argument("--i-accept-real-orders", action="store_true", help="required by live")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when stdin closes")
    if can_check:
        parser.add_argument("--check", action="store_true", help="check the configuration and end")
    try:
        found = parser.parse_args(argv)
    except CommandLineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_CONFIGURATION)
    return ProcessArguments(
        found.environment,
        found.symbol,
        found.i_accept_real_orders,
        found.exit_with_stdin,
        can_check and found.check,
    )


def stop_on_request(stop: Callable[[], None], *, exit_with_stdin: bool) -> None:
    """Call `stop` once on the running loop when the process is asked to end, and begin the heartbeat.

    It is asked by SIGTERM, SIGINT (Ctrl+C, Ctrl+Break) or, with `exit_with_stdin`, by the end of stdin. If
    the process still runs ten seconds later, it ends with code 70.
    """
    loop = asyncio.get_running_loop()
    begin_to_beat(loop)
    asked = threading.Event()

    def ask() -> None:
        if asked.is_set():
            return
        asked.set()
        threading.Thread(target=_force, name="forced exit", daemon=True).start()
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop)

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: ask())
    if exit_with_stdin:
        at_end_of_stdin(ask)


def at_end_of_stdin(ask: Callable[[], None]) -> None:
    """Call `ask` on another thread when stdin has ended.

    It reads the descriptor: a thread that waits inside `sys.stdin` holds a lock that Python needs to exit.
    """
    threading.Thread(target=_wait_for_end_of_stdin, args=(ask,), name="stdin", daemon=True).start()


def _wait_for_end_of_stdin(ask: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0, 4096):
            pass
    ask()


def _force() -> None:
    threading.Event().wait(FORCE_AFTER_SECONDS)
    os._exit(EXIT_FORCED)
