"""`python -m gateways.simulator`: a Binance USD-M futures exchange on loopback."""

import argparse
import asyncio
import contextlib
import errno
import gc
import logging
import os
import sys
import tempfile
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import structlog

from gateways.simulator.api.access.control_token import load_or_make_token
from gateways.simulator.api.access.keys import load_or_make_keys
from gateways.simulator.api.access.rate_limits import RateLimitSettings
from gateways.simulator.api.requests.bounded_json import MAX_MAGNITUDE
from gateways.simulator.api.venue.clock import ClockError, SimClock, open_clock
from gateways.simulator.api.venue.venue import (
    DEFAULT_ACCOUNT,
    DEFAULT_BALANCE,
    HalfDoneError,
    Venue,
    VenueOptions,
)
from gateways.simulator.exchange.model.symbols import SymbolSpec, default_symbols
from gateways.simulator.market_data.history.files import StoreError
from gateways.simulator.markets import Market, MarketOptions, parse_market
from gateways.simulator.markets.base import MarketError
from gateways.simulator.markets.parse import KINDS
from gateways.simulator.server import Server, SocketRules, call_later_on
from gateways.simulator.store.journal import StateDamagedError
from runtime.command_line import CommandLineError, Parser, number, whole_number
from runtime.process import event_loop
from runtime.process.child import EXIT_CONFIGURATION, WAS_UP_VARIABLE, stop_on_request
from runtime.process.files import FileLock, keep_private
from runtime.suggestions import SYMBOL_LIKENESS, did_you_mean

MAX_SPEED = 10_000.0
MAX_EPOCH_MS = 10**13
EXIT_BROKEN = 1
EXIT_DISK = 1
PORT_SECONDS = 0.5
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})
"""The disk is full or read-only: not a bug, and it can be fixed by freeing space."""

FOREIGN_ERRORS = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM})
"""A file or folder in the state folder has the wrong kind or the wrong permissions."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run until asked to stop; return the exit code."""
    try:
        options = _parse(argv)
    except CommandLineError as error:
        return _failed(error, EXIT_CONFIGURATION)
    _configure_log()
    try:
        if options.check:
            _check(options)
        else:
            event_loop.run(_run(options, _prepare(options)))
    except (CommandLineError, ClockError, MarketError, StateDamagedError, StoreError) as error:
        return _failed(error, EXIT_CONFIGURATION)
    except HalfDoneError as error:
        return _failed(error, EXIT_BROKEN)
    except OSError as error:
        is_foreign = error.errno in FOREIGN_ERRORS and error.filename is not None
        if error.errno not in DISK_ERRORS and not is_foreign:
            raise
        where = error.filename or options.state or "the state folder"
        return _failed(f"{where}: {error.strerror}", EXIT_CONFIGURATION if is_foreign else EXIT_DISK)
    return 0


def _failed(said: object, code: int) -> int:
    print(f"simulator: {said}", file=sys.stderr)  # noqa: T201 - the message of a command
    return code


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog="python -m gateways.simulator",
        description="A Binance USD-M futures exchange: REST, streams and WS API on one local port.",
    )
    add = parser.add_argument
    add("--port", type=whole_number, help="required; 0 picks a free one, the line `listening on` shows it")
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--market", default="synthetic", help=KINDS)
    add("--symbols", default="BTCUSDT,ETHUSDT", help="comma-separated")
    add(
        "--list-symbols",
        action=_ListSymbols,
        nargs=0,
        help="print all known symbols and end",
    )
    add("--check", action="store_true", help="check the market and all other arguments, then end")
    add("--seed", type=whole_number, default=1)
    add("--speed", type=number, default=1.0, help="simulated seconds per real second, from the epoch on")
    add("--epoch", type=whole_number, metavar="MS", help="time (ms UTC) from which the speed applies")
    add("--keep-times", action="store_true", help="play recordings with their original times")
    add("--state", type=Path, metavar="DIR", help="state folder (default: a new temporary one)")
    add("--key", help="API key of the account (default: generated and stored in DIR/binance_keys)")
    add("--secret", help="its secret")
    add(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="PEM file with an Ed25519 or RSA public key: adds one more API key",
    )
    add("--balance", default=str(DEFAULT_BALANCE), help="initial wallet balance of a new account, in USDT")
    add(
        "--strict-routing",
        action="store_true",
        help="streams on the wrong path send nothing, as on the live exchange",
    )
    add("--legacy-avg-price", action="store_true", help="order responses include avgPrice and cumQuote")
    add("--deflate", action="store_true", help="offer permessage-deflate")
    add("--no-limits", action="store_true", help="no request weight and order limits")
    add("--open-control", action="store_true", help="/_control commands need no token")
    add("--exit-with-stdin", action="store_true", help="stop when stdin closes")
    found = parser.parse_args(argv)
    if found.port is None:
        raise CommandLineError("--port is required: --port 0 picks a free one")
    return found


class _ListSymbols(argparse.Action):
    """Answers while the command line is read, so that no other option is required."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        _print_line("\n".join(default_symbols()))
        parser.exit()


def _balance(text: str) -> Decimal:
    try:
        balance = Decimal(text)
    except InvalidOperation:
        balance = Decimal("NaN")
    if not (balance.is_finite() and 0 <= balance < MAX_MAGNITUDE):
        raise CommandLineError(f"--balance {text}: expected a number from 0 to below {MAX_MAGNITUDE:g}")
    return balance


def _configure_log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )


def _line(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    """Format a log line like the other processes do: time, level unless it is info, text, details."""
    time, level, text = event.pop("timestamp")[:-3], event.pop("level"), event.pop("event")
    loud = "" if level == "info" else f"{level.upper()} "
    details = ", ".join(f"{key} {value}" for key, value in event.items())
    return f"{time} {loud}{text}{': ' if details else ''}{details}"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Everything that is set up before the event loop runs."""

    venue: VenueOptions
    market: Market
    clock: SimClock
    key: str
    secret: str
    key_file: Path | None
    public_key: str | None
    control_token: str
    lock: FileLock


def _prepare(options: argparse.Namespace) -> _Prepared:
    if (options.key is None) != (options.secret is None):
        raise CommandLineError("--key and --secret go together")
    if not 0 <= options.port < 65_536:
        raise CommandLineError(f"--port {options.port}: expected 0 to 65535")
    if not 0 < options.speed <= MAX_SPEED:
        raise CommandLineError(f"--speed {options.speed:g}: expected a number above 0, at most {MAX_SPEED:g}")
    if options.epoch is not None and not 0 <= options.epoch < MAX_EPOCH_MS:
        raise CommandLineError(f"--epoch {options.epoch}: expected milliseconds since 1970")
    specs = _specs(options.symbols)
    state: Path = options.state or Path(tempfile.mkdtemp(prefix="nextbar-simulator-"))
    lock = _lock_state(state)
    market = parse_market(
        options.market,
        MarketOptions(
            symbols=tuple(specs), seed=options.seed, keep_times=options.keep_times, state_dir=state
        ),
    )
    venue = VenueOptions(
        specs=specs,
        state=state,
        seed=options.seed,
        strict_routing=options.strict_routing,
        legacy_avg_price=options.legacy_avg_price,
        balance=_balance(options.balance),
        limits=_no_limits() if options.no_limits else None,
    )
    clock = open_clock(state, options.speed, options.epoch)
    key, secret, key_file = load_or_make_keys(state, options.key, options.secret)
    public_key = None if options.public_key is None else _read_public_key(options.public_key)
    token = load_or_make_token(state)
    return _Prepared(venue, market, clock, key, secret, key_file, public_key, token, lock)


def _check(options: argparse.Namespace) -> None:
    """Open an exchange in a temporary folder and let the market fill its books, as a start does."""
    with tempfile.TemporaryDirectory(prefix="nextbar-simulator-") as folder:
        options.state = Path(folder)
        prepared = _prepare(options)
        venue = Venue(prepared.venue, prepared.clock, lambda *_: None)
        try:
            venue.start_market(prepared.market)
        finally:
            venue.close()
            prepared.lock.release()


async def _run(options: argparse.Namespace, prepared: _Prepared) -> None:
    loop = asyncio.get_running_loop()
    venue = Venue(prepared.venue, prepared.clock, call_later_on(loop))
    if venue.persistence.torn:
        _print_line(venue.persistence.torn)
    venue.keys.add(prepared.key, prepared.secret, DEFAULT_ACCOUNT)
    if prepared.public_key is not None:
        further = venue.keys.add_public(prepared.public_key, DEFAULT_ACCOUNT)
        _print_line(f"API key of {options.public_key}: {further.key}")
    venue.start_market(prepared.market)
    gc.collect()
    gc.freeze()  # a full garbage collection over a long history would block the loop
    server = Server(
        venue,
        SocketRules(deflate=options.deflate),
        token=prepared.control_token,
        open_control=options.open_control,
    )
    stop_on_request(server.stop, exit_with_stdin=options.exit_with_stdin)
    try:
        port = await _listen(server, options)
        if port is None:
            return
        server.run_market(prepared.market)
        _print_line(f"state in {prepared.venue.state}")
        if prepared.key_file is not None:
            _print_line(f"API key and secret in {prepared.key_file}")
        _print_line(f"listening on http://{options.host}:{port}")
        await server.wait()
    finally:
        await server.close()


async def _listen(server: Server, options: argparse.Namespace) -> int | None:
    """Listen on the requested port and return it.

    When the supervisor restarts the simulator and another program has taken the port, wait for it: the
    clients know no other port, and ending here would end the whole run. None when asked to stop meanwhile.
    """
    waiting = False
    while True:
        try:
            return await server.start(options.host, options.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or WAS_UP_VARIABLE not in os.environ:
                raise CommandLineError(
                    f"--host {options.host} --port {options.port}: {error.strerror}"
                ) from error
        if not waiting:
            waiting = True
            _print_line(f"another program listens on port {options.port}; waiting until it is free")
        if await server.is_stopped_within(PORT_SECONDS):
            return None


def _read_public_key(path: Path) -> str:
    from gateways.simulator.api.access.public_keys import PublicKey  # noqa: PLC0415 - 50 ms that few runs need

    try:
        return PublicKey(path.read_text()).pem
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandLineError(f"--public-key {path}: {reason}") from error


def _lock_state(state: Path) -> FileLock:
    lock = FileLock(state / "lock")
    try:
        keep_private(state)
        taken = lock.acquire()
    except OSError as error:
        raise CommandLineError(f"--state {state}: {error.strerror}") from error
    if not taken:
        raise CommandLineError(f"--state {state}: another simulator is using this folder")
    return lock


def _specs(text: str) -> dict[str, SymbolSpec]:
    known = default_symbols()
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        hint = did_you_mean(unknown[0], known, likeness=SYMBOL_LIKENESS) if unknown else ""
        raise CommandLineError(f"--symbols {text}{hint}: expected some of {', '.join(known)}")
    return {name: known[name] for name in names}


def _no_limits() -> RateLimitSettings:
    plenty = 10**9
    return RateLimitSettings(plenty, plenty, plenty, plenty, ban_after=0)


def _print_line(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)  # noqa: T201 - the output of a command


if __name__ == "__main__":
    sys.exit(main())
