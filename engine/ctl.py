"""Control a running engine: `python -m engine.ctl [--env demo] pause|resume|flatten|kill|...`."""

import asyncio
import inspect
import os
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer
from rich.console import Console as Screen
from rich.text import Text

from gateways.wire.errors import TokenError
from gateways.wire.token import load_token
from runtime.control.client import NotAnEngine, connect
from runtime.control.commands import COMMANDS, About, CommandName
from runtime.control.protocol import AuditLine, Request, Response
from runtime.control.shown import counted, price, readable
from runtime.control.status import EngineStatus, read_status
from runtime.control.status_tables import (
    append_states,
    clock,
    entries,
    halted,
    in_a_line,
    order_ids,
    tables,
    totals,
)
from runtime.settings import ENVIRONMENTS, Home, SettingsError
from runtime.settings.environment import port_variable, ports_to_try
from runtime.settings.load import parse_settings
from runtime.suggestions import allowed
from runtime.typer_refusals import PlainGroup, whole_number

if TYPE_CHECKING:
    from engine.tables.round_trips import Results, RoundTrip

ANSWER_SECONDS = 10
WIDE_COLUMNS = 160
"""Width of tables that go into a pipe or a file."""
ALL_ROWS = 1_000
_QUESTIONS = {"status", "watch", *(name for name, about in COMMANDS.items() if about.is_question)}
_TROUBLE = (OSError, EOFError, ValueError, msgspec.DecodeError)
_AN_ORDER = "nbaaaaaa-000001"
app = typer.Typer(cls=PlainGroup, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _chosen(context: typer.Context, given: str) -> str:
    """The environment given after the command, else the one before it, else demo."""
    before = context.parent.params.get("env") if context.parent is not None else None
    return given or before or "demo"


Environment = Annotated[
    str, typer.Option("--env", help="demo, paper, testnet or live; demo by default", callback=_chosen)
]
Strategy = Annotated[str, typer.Option(help="only this strategy")]
Symbol = Annotated[str, typer.Option(help="only this symbol")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON")]


@app.callback()
def common(env: Annotated[str, typer.Option("--env", help="demo, paper, testnet or live")] = "demo") -> None:
    """Control a running engine. --env may stand before or after the command."""


def ask_why(environment: str, strategy: str = "", symbol: str = "") -> NoReturn:
    """Print what a running engine says about its strategies, and end."""
    _run(environment, Request("why", _id(), strategy, symbol))
    raise typer.Exit


def _as_json(status: EngineStatus) -> None:
    _echo_json(status)


def _echo_json(data: object) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def _wide() -> Screen:
    """The terminal; if there is none, wide enough that no line is folded."""
    screen = Screen(highlight=False, markup=False)
    return screen if screen.is_terminal else Screen(highlight=False, markup=False, width=WIDE_COLUMNS)


def _as_tables(environment: str, status: EngineStatus) -> None:
    """Print what the live view shows, with the ids of orders."""
    wide = _wide()
    links = Text()
    append_states(links, status.links)
    stopped, style = halted(status)
    wide.print(f"{environment} at {clock(status.time_ns)} UTC   ", links, end="", sep="")
    wide.print(Text(stopped, style=style) if stopped else "", end="\n")
    wide.print(entries(status))
    for sentence in status.left_behind:
        wide.print(Text(sentence, style="yellow"))
    wide.print(totals(status, msgspec.structs.asdict(status)))
    for table in (*tables(status, ALL_ROWS, wide.width), order_ids(status, wide.width)):
        if table.row_count:
            wide.print()
            wide.print(table)


def _run(environment: str, request: Request, show: Callable[[EngineStatus], None] = _as_json) -> None:
    """Send one request and print the answer; exit code 1 if it was not carried out, 2 without an engine."""
    ports, token = _engine_of(environment)
    try:
        answer = asyncio.run(_ask(ports, token, request))
    except _TROUBLE as error:
        _refuse(_sentence(environment, error, is_command=request.what not in _QUESTIONS))
    data = bytes(answer.data)
    if data == b"null":
        typer.echo(answer.text)
    else:
        show(readable(msgspec.json.decode(data, type=EngineStatus)))
    raise typer.Exit(0 if answer.ok else 1)


def _engine_of(environment: str) -> tuple[tuple[int, ...], bytes]:
    """Ports to try and token of the engine; nothing is written."""
    home = Home.find()
    try:
        settings = parse_settings(home.config(_known(environment)), environment)
        token_path = home.vault / settings.wire.token_file
        given = os.environ.get(port_variable("control"), "")
        port = int(given) if given.isdecimal() else settings.engine.control_port
        ports = tuple(filter(None, ports_to_try("control", port, home.data(environment))))
        if not ports or not token_path.exists():
            _refuse(_not_running(environment))
        return ports, load_token(token_path)
    except (SettingsError, TokenError) as error:
        _refuse(str(error))


def _known(environment: str) -> str:
    if environment not in ENVIRONMENTS:
        _refuse(f"there is no environment {environment!r}{allowed(environment, ENVIRONMENTS)}")
    return environment


def _not_running(environment: str) -> str:
    return f"{environment} is not running"


def _sentence(environment: str, error: Exception, *, is_command: bool = False) -> str:
    """Why there is no answer, and what that means for a command."""
    if isinstance(error, ConnectionRefusedError):
        return _not_running(environment)
    if isinstance(error, NotAnEngine):
        return f"{_not_running(environment)}, or its engine hangs: {error}"
    if isinstance(error, PermissionError):
        return f"the engine of {environment} does not accept the token of this vault"
    slow = isinstance(error, TimeoutError)
    said = f"did not answer within {ANSWER_SECONDS} seconds" if slow else "ended before it answered"
    doubt = "; the command may or may not have been carried out: check `status`" if is_command else ""
    return f"the engine of {environment} {said}{doubt}"


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


async def _ask(ports: tuple[int, ...], token: bytes, request: Request) -> Response:
    async with connect(ports, token) as client, asyncio.timeout(ANSWER_SECONDS):
        return await client.ask(request)


def _id() -> str:
    return f"ctl-{secrets.token_hex(8)}"


def _example(words: str) -> str:
    return f"Example: nextbar ctl {words} --env demo"


def _add_command(name: CommandName, about: About) -> None:
    """One of the operator's commands, with the options that it takes."""

    def carry_out(env: str, strategy: str = "", symbol: str = "", order: str = "") -> None:
        _run(env, Request(name, _id(), strategy, symbol, order))

    taken = {
        "order": Annotated[str, typer.Argument(help=about.order, metavar="CLIENT_ORDER_ID")],
        "env": Environment,
        "strategy": Annotated[str, typer.Option(help=about.strategy)],
        "symbol": Annotated[str, typer.Option(help=about.symbol)],
    }
    parameters = []
    for one, kind in taken.items():
        if one == "env" or getattr(about, one):
            default = inspect.Parameter.empty if one == "order" else ""
            parameters.append(
                inspect.Parameter(one, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            )
    carry_out.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    carry_out.__annotations__ = {one.name: one.annotation for one in parameters}
    typed = name.replace("_", "-")
    example = _example(f"{typed} {_AN_ORDER}" if about.order else typed)
    app.command(typed, help=about.touches, epilog=example)(carry_out)
    if typed != name:
        app.command(name, hidden=True, help=about.touches, epilog=example)(carry_out)


for _name, _about in COMMANDS.items():
    _add_command(_name, _about)


@app.command(epilog=_example("status"))
def status(env: Environment = "", json: AsJson = False) -> None:
    """Everything that the live view shows, as tables."""
    show = _as_json if json else partial(_as_tables, env)
    _run(env, Request("status", _id()), show)


@app.command(epilog=_example("trades --last 5"))
def trades(
    env: Environment = "",
    strategy: Strategy = "",
    symbol: Symbol = "",
    last: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="NUMBER", help="number of trades, the newest ones")
    ] = 20,
    json: AsJson = False,
) -> None:
    """Trades from flat to flat from the journal, the newest last; the engine need not run."""
    from engine.shell import results  # noqa: PLC0415  # it imports numba, and a kill must not wait for that

    found, status = _results(env)
    trips = _chosen_trips(found, status, strategy, symbol)[-last:]
    if json:
        _echo_json(results.as_data(trips))
    elif trips:
        screen = _wide()
        ticks = {} if status is None else status.tick_sizes
        screen.print(
            results.trades_table(trips, lambda name, value: price(value, ticks.get(name)), screen.width)
        )
    else:
        typer.echo("no trade yet")


@app.command(epilog=_example("profit"))
def profit(env: Environment = "", strategy: Strategy = "", symbol: Symbol = "", json: AsJson = False) -> None:
    """Profit by strategy and by day from the journal; the engine need not run."""
    from engine.shell import results  # noqa: PLC0415  # as above

    found, status = _results(env)
    trips = _chosen_trips(found, status, strategy, symbol)
    if json:
        _echo_json(results.profit_data(found, trips))
        return
    screen = _wide()
    for table in results.profit_tables(trips):
        if table.row_count:
            screen.print(table)
            screen.print()
    for line in results.profit_lines(found, trips, is_all=not strategy and not symbol):
        screen.print(line)


def _chosen_trips(
    found: "Results", status: EngineStatus | None, strategy: str, symbol: str
) -> "list[RoundTrip]":
    """The trades of a strategy and a symbol. A name that nothing here has is refused."""
    from engine.shell import results  # noqa: PLC0415  # as above

    trips = results.chosen(found, strategy, symbol)
    if not trips and (sentence := results.unknown(found, status, strategy, symbol)):
        _refuse(sentence)
    return trips


def _results(environment: str) -> "tuple[Results, EngineStatus | None]":
    """The journal's results, and the last status, which knows the tick sizes."""
    from engine.journal.segment import JournalError, segment_paths  # noqa: PLC0415  # as above
    from engine.tables.round_trips import read_results  # noqa: PLC0415  # as above

    folder = Home.find().data(_known(environment)) / "engine"
    try:
        if not segment_paths(folder / "journal"):
            _refuse(f"there is no journal of {environment} yet: the first run creates it")
        results = read_results(folder / "journal")
    except (JournalError, OSError) as error:
        _refuse(str(error))
    return results, read_status(folder / "summary.json")


def _echo_line(time_ns: int, kind: str, text: str) -> None:
    typer.echo(f"{clock(time_ns)} {kind:<9} {text}")


@app.command(epilog=_example("watch"))
def watch(env: Environment = "") -> None:
    """The present status in a line, then everything that happens, each with its time (UTC), until Ctrl+C."""
    ports, token = _engine_of(env)

    async def follow() -> None:
        async with connect(ports, token) as client:
            snapshot = await client.watch(_id())
            _echo_line(snapshot.status.time_ns, "status", in_a_line(readable(snapshot.status)))
            last = snapshot.sequence
            while True:
                said = await client.next_line()
                if not isinstance(said, AuditLine):
                    continue
                if said.sequence != last + 1:
                    _echo_line(said.time_ns, "missing", counted(said.sequence - last - 1, "line"))
                last = said.sequence
                if said.text:
                    _echo_line(said.time_ns, said.kind, said.text)

    try:
        asyncio.run(follow())
    except EOFError:
        _refuse(f"the engine of {env} has stopped")
    except _TROUBLE as error:
        _refuse(_sentence(env, error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


if __name__ == "__main__":
    app()
