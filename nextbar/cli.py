"""The command line: one command in front of the modules that do the work, each imported when it is used."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from runtime.process import short_run
from runtime.typer_refusals import PlainGroup

ENVIRONMENTS = ("demo", "paper", "testnet", "live")
KINDS = ("signal", "script", "toml")


def _backtest() -> Any:  # noqa: ANN401  # a click command, of click or of typer's own copy
    from engine.backtest.cli import app as backtests  # noqa: PLC0415  # as the module's first line says

    return typer.main.get_command(backtests)


def _validate() -> Any:  # noqa: ANN401  # as above
    from engine.backtest.parity.command import app as validation  # noqa: PLC0415  # as above

    return typer.main.get_command(validation)


def _ctl() -> Any:  # noqa: ANN401  # as above
    from engine.ctl import app as controls  # noqa: PLC0415  # as above

    return typer.main.get_command(controls)


def _why() -> Any:  # noqa: ANN401  # as above
    from engine.why import app as reasons  # noqa: PLC0415  # as above

    return typer.main.get_command(reasons)


def _show() -> Any:  # noqa: ANN401  # as above
    from engine.show import app as shown  # noqa: PLC0415  # as above

    return typer.main.get_command(shown)


_ELSEWHERE: dict[str, Callable[[], Any]] = {
    "backtest": _backtest,
    "ctl": _ctl,
    "show": _show,
    "validate": _validate,
    "why": _why,
}


class _Commands(PlainGroup):
    """Some commands are those of other modules, which are slow to import: `--help` must not wait for them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  # as above
        """The command that `args` begin with; one of another module is taken from there."""
        name, command, rest = super().resolve_command(ctx, args)  # type: ignore[no-untyped-call]
        if name in _ELSEWHERE and command is not None:
            epilog = command.epilog
            command = _ELSEWHERE[name]()
            command.epilog = command.epilog or epilog
        return name, command, rest


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Backtest trading strategies and run them.",
)


def _placeholder() -> None:
    """Never called: `_Commands` takes the command of the module."""


for _name, _help, _example in (
    (
        "backtest",
        "Backtest strategies and report.",
        "backtest --strategy rsi --data sample-1h",
    ),
    (
        "validate",
        "Compare with trade lists of TradingView.",
        "validate --config cases.json",
    ),
    ("ctl", "Control a running engine.", "ctl status --env demo"),
    ("show", "Print a strategy and its rules, draw its graph.", "show rsi --svg rsi.svg"),
    ("why", "Say why a strategy did what it did.", "why rsi --data sample-1h --at 2023-07-28T08:00"),
):
    app.command(_name, help=_help, epilog=f"Example: nextbar {_example}")(_placeholder)


def _environments(incomplete: str) -> list[str]:
    return [one for one in ENVIRONMENTS if one.startswith(incomplete)]


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    epilog="Example: nextbar run demo --for 60",
)
def run(
    words: Annotated[list[str] | None, typer.Argument(autocompletion=_environments, metavar="ENV")] = None,
) -> None:
    """Start exchange simulator, gateway and engine: demo, paper, testnet or live."""
    from runtime.supervisor.command import main as run_environment  # noqa: PLC0415  # as above

    raise typer.Exit(run_environment(words or [], "nextbar run"))


@app.command(epilog="Example: nextbar new breakaway --kind signal")
def new(
    name: Annotated[str, typer.Argument(help="Of the strategy: small letters, digits and underscores.")],
    kind: Annotated[
        str, typer.Option(help="signal, script or toml.", autocompletion=lambda: list(KINDS))
    ] = "signal",
) -> None:
    """Write a strategy, its test and a notebook to start from, into your folder."""
    from nextbar.authoring import AuthoringError, write_new  # noqa: PLC0415  # as above

    try:
        for path in write_new(name, kind):
            typer.echo(path)
    except AuthoringError as error:
        _refuse(str(error))
    typer.echo(f"try it: nextbar backtest --strategy {name} --data sample-1h")


@app.command(epilog="Example: nextbar init trading")
def init(
    folder: Annotated[Path, typer.Argument(help="The folder; it is made where it is missing.")] = Path(),
    compile_now: Annotated[bool, typer.Option("--compile/--no-compile", help="Compile what can be.")] = True,
) -> None:
    """Make a folder of your own, with configs/, vault/, strategies/, data/ and notebooks/."""
    from nextbar.folder import FolderError, make_folder  # noqa: PLC0415  # as above

    try:
        made = make_folder(folder)
    except FolderError as error:
        _refuse(str(error))
    for line in made:
        typer.echo(line)
    if compile_now:
        _compile(again=False)
    typer.echo("Next, inside it: nextbar run demo, or nextbar new NAME")


@app.command("compile", epilog="Example: nextbar compile")
def compile_all() -> None:
    """Compile indicators, strategies and engines now, on all cores; later commands load the result."""
    _compile()


def _compile(*, again: bool = True) -> None:
    from nextbar.compiling import compile_everything, is_everything_compiled  # noqa: PLC0415  # as above

    if not again and is_everything_compiled():
        typer.echo("Indicators, strategies and engines are compiled already.")
    else:
        compile_everything(typer.echo)


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"nextbar: {sentence}", err=True)
    raise typer.Exit(2)


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] in (["backtest"], ["validate"]):
        short_run.begin()
    app(prog_name="nextbar")
