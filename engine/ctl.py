"""Speak to a running engine: `python -m engine.ctl [--env demo] pause|resume|flatten|kill|...`."""

import asyncio
import os
import secrets
from typing import Annotated, NoReturn

import msgspec
import typer

from engine.control.client import connect
from engine.control.protocol import AuditLine, Request, Response
from gateways.wire.errors import TokenError
from gateways.wire.token import load_token
from settings import ENVIRONMENTS, Home, SettingsError
from settings.environment import port_variable, remembered_ports
from settings.load import parse_settings
from settings.shown import readable
from settings.status import EngineStatus

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _chosen(context: typer.Context, given: str) -> str:
    """The one behind the command, else the one before it, else demo."""
    before = context.parent.params.get("env") if context.parent is not None else None
    return given or before or "demo"


Environment = Annotated[
    str, typer.Option("--env", help="demo, paper, testnet or live; demo by default", callback=_chosen)
]
Strategy = Annotated[str, typer.Option(help="only this strategy")]
Symbol = Annotated[str, typer.Option(help="only this symbol")]


@app.callback()
def common(env: Annotated[str, typer.Option("--env", help="demo, paper, testnet or live")] = "demo") -> None:
    """Speak to a running engine. --env stands before the command or behind it."""


def _run(environment: str, request: Request) -> None:
    """One request, its answer printed; exit code 1 when it was not carried out, 2 without an engine."""
    port, token = _engine_of(environment)
    try:
        answer = asyncio.run(_ask(port, token, request))
    except ConnectionRefusedError:
        _refuse(_not_running(environment))
    except (OSError, EOFError, msgspec.DecodeError) as error:
        _refuse(f"the engine of {environment} does not answer: {error or type(error).__name__}")
    data = bytes(answer.data)
    if data == b"null":
        typer.echo(answer.text)
    else:
        status = readable(msgspec.json.decode(data, type=EngineStatus))
        typer.echo(msgspec.json.format(msgspec.json.encode(status), indent=2).decode())
    raise typer.Exit(0 if answer.ok else 1)


def _engine_of(environment: str) -> tuple[int, bytes]:
    """Port and token of a running engine, found without writing anything."""
    home = Home.find()
    try:
        if environment not in ENVIRONMENTS:
            _refuse(f"there is no environment {environment!r}; allowed: {', '.join(ENVIRONMENTS)}")
        settings = parse_settings(home.config(environment), environment)
        token_path = home.vault / settings.wire.token_file
        told = os.environ.get(port_variable("control"), "")
        port = int(told) if told.isdecimal() else settings.engine.control_port
        port = port or remembered_ports(home.data(environment)).get("control", 0)
        if not port or not token_path.exists():
            _refuse(_not_running(environment))
        return port, load_token(token_path)
    except (SettingsError, TokenError) as error:
        _refuse(str(error))


def _not_running(environment: str) -> str:
    return f"{environment} is not running"


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


async def _ask(port: int, token: bytes, request: Request) -> Response:
    async with asyncio.timeout(10), connect(port, token) as client:
        return await client.ask(request)


def _id() -> str:
    return f"ctl-{secrets.token_hex(8)}"


@app.command()
def pause(env: Environment = "", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """Enter no new positions; exits go on."""
    _run(env, Request("pause", _id(), strategy, symbol))


@app.command()
def resume(env: Environment = "", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """Undo pause; without a strategy or symbol also undo kill."""
    _run(env, Request("resume", _id(), strategy, symbol))


@app.command()
def flatten(env: Environment = "", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """Leave the positions and pause those strategies."""
    _run(env, Request("flatten", _id(), strategy, symbol))


@app.command()
def kill(env: Environment = "", symbol: Symbol = "") -> None:
    """Cancel every order, leave every position, enter nothing until resume."""
    _run(env, Request("kill", _id(), "", symbol))


@app.command()
def cancel(client_order_id: str, env: Environment = "") -> None:
    """Cancel one order."""
    _run(env, Request("cancel", _id(), argument=client_order_id))


@app.command("cancel-all")
def cancel_all(env: Environment = "", symbol: Symbol = "") -> None:
    """Cancel every order; positions stay."""
    _run(env, Request("close_orders", _id(), symbol=symbol))


@app.command()
def why(env: Environment = "", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """The last signals and what became of them."""
    _run(env, Request("why", _id(), strategy, symbol))


@app.command()
def status(env: Environment = "") -> None:
    """Everything the live view shows, as JSON."""
    _run(env, Request("status", _id()))


@app.command()
def watch(env: Environment = "") -> None:
    """Everything that happens, a line each, until Ctrl+C."""
    port, token = _engine_of(env)

    async def follow() -> None:
        async with connect(port, token) as client:
            await client.ask(Request("watch", _id()))
            while True:
                said = await client.next_line()
                if isinstance(said, AuditLine) and said.text:
                    typer.echo(f"{said.kind:<9} {said.text}")

    try:
        asyncio.run(follow())
    except ConnectionRefusedError:
        _refuse(_not_running(env))
    except EOFError:
        _refuse(f"the engine of {env} has stopped")
    except (OSError, msgspec.DecodeError) as error:
        _refuse(f"the engine of {env} does not answer: {error}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


if __name__ == "__main__":
    app()
