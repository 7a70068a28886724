"""Speak to a running engine: `python -m engine.ctl [--env demo] pause|resume|flatten|kill|...`."""

import asyncio
import secrets
from typing import Annotated

import msgspec
import typer

from engine.control.client import connect
from engine.control.protocol import AuditLine, Request, Response
from gateways.wire.errors import TokenError
from gateways.wire.token import load_token
from settings import SettingsError, load_settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Environment = Annotated[str, typer.Option("--env", help="demo, paper, testnet or live")]
Strategy = Annotated[str, typer.Option(help="only this strategy")]
Symbol = Annotated[str, typer.Option(help="only this symbol")]


def _run(environment: str, request: Request) -> None:
    """One request, its answer printed; exit code 1 when it was not carried out, 2 without an engine."""
    try:
        settings = load_settings(environment, accept_real_orders=True)
        token = load_token(settings.token_path)
        answer = asyncio.run(_ask(settings.engine.control_port, token, request))
    except (SettingsError, TokenError, OSError, EOFError, msgspec.DecodeError) as error:
        typer.echo(f"no engine of {environment} answers: {error}", err=True)
        raise typer.Exit(2) from None
    data = bytes(answer.data)
    typer.echo(answer.text if data == b"null" else msgspec.json.format(data, indent=2).decode())
    raise typer.Exit(0 if answer.ok else 1)


async def _ask(port: int, token: bytes, request: Request) -> Response:
    async with asyncio.timeout(10), connect(port, token) as client:
        return await client.ask(request)


def _id() -> str:
    return f"ctl-{secrets.token_hex(8)}"


@app.command()
def pause(env: Environment = "demo", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """Enter no new positions; exits go on."""
    _run(env, Request("pause", _id(), strategy, symbol))


@app.command()
def resume(env: Environment = "demo", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """Undo pause; without a strategy or symbol also undo kill."""
    _run(env, Request("resume", _id(), strategy, symbol))


@app.command()
def flatten(env: Environment = "demo", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """Leave the positions and pause those strategies."""
    _run(env, Request("flatten", _id(), strategy, symbol))


@app.command()
def kill(env: Environment = "demo", symbol: Symbol = "") -> None:
    """Cancel every order, leave every position, enter nothing until resume."""
    _run(env, Request("kill", _id(), "", symbol))


@app.command()
def cancel(client_order_id: str, env: Environment = "demo") -> None:
    """Cancel one order."""
    _run(env, Request("cancel", _id(), argument=client_order_id))


@app.command("cancel-all")
def cancel_all(env: Environment = "demo", symbol: Symbol = "") -> None:
    """Cancel every order; positions stay."""
    _run(env, Request("close_orders", _id(), symbol=symbol))


@app.command()
def why(env: Environment = "demo", strategy: Strategy = "", symbol: Symbol = "") -> None:
    """The last signals and what became of them."""
    _run(env, Request("why", _id(), strategy, symbol))


@app.command()
def status(env: Environment = "demo") -> None:
    """Everything the live view shows, as JSON."""
    _run(env, Request("status", _id()))


@app.command()
def watch(env: Environment = "demo") -> None:
    """Everything that happens, a line each, until Ctrl+C."""
    settings = load_settings(env, accept_real_orders=True)

    async def follow() -> None:
        async with connect(settings.engine.control_port, load_token(settings.token_path)) as client:
            await client.ask(Request("watch", _id()))
            while True:
                said = await client.next_line()
                if isinstance(said, AuditLine) and said.text:
                    typer.echo(f"{said.kind:<9} {said.text}")

    asyncio.run(follow())


if __name__ == "__main__":
    app()
