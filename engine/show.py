"""A strategy in text, and its graph as a picture: `python -m engine.show STRATEGY [--svg FILE]`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from runtime.process import short_run
from runtime.typer_refusals import PlainCommand

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(cls=PlainCommand)
def show(
    strategy: Annotated[str, typer.Argument(help="NAME, FILE.py:Class, FILE.toml or package.module:Class.")],
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE.")] = None,
    svg: Annotated[Path | None, typer.Option(help="File for a picture of the graph.")] = None,
) -> None:
    """Print a strategy: what it is, its parameters, and its rules where they are a graph of series."""
    short_run.begin()
    from engine.backtest.data.configuration import ConfigError  # noqa: PLC0415  # slow to import

    try:
        lines = list(lines_about(strategy, param or (), svg))
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    for line in lines:
        typer.echo(line)


def lines_about(text: str, params: Sequence[str] = (), svg: Path | None = None) -> Iterator[str]:
    """What a strategy is, its parameters, its rules; `ConfigError` where it cannot be found or made.

    `params` are `NAME=VALUE`. `svg` is a file for a picture of its graph.
    """
    from rich.console import Console  # noqa: PLC0415  # as above

    from engine.backtest.data.configuration import ConfigError  # noqa: PLC0415  # as above
    from engine.backtest.runs.config import choices  # noqa: PLC0415  # as above
    from engine.backtest.runs.strategies import built, strategy_class  # noqa: PLC0415  # as above
    from engine.backtest.strategy_list import describe  # noqa: PLC0415  # as above
    from engine.strategies.base import ScriptStrategy  # noqa: PLC0415  # as above
    from engine.strategies.graph import Strategy  # noqa: PLC0415  # as above
    from engine.strategies.picture import picture_of  # noqa: PLC0415  # as above
    from engine.strategies.shown import lines_of  # noqa: PLC0415  # as above

    cls = strategy_class(text)
    head, table = describe(text, cls)
    yield head
    if table is not None:
        console = Console(width=100)
        with console.capture() as shown:
            console.print(table)
        yield shown.get().rstrip()
    [choice] = choices([text], params, ())
    strategy = built(cls, choice["params"])
    yield ""
    if isinstance(strategy, Strategy):
        yield from lines_of(strategy)
    elif isinstance(strategy, ScriptStrategy):
        yield f"a script, called on each closed bar; verbs: {', '.join(sorted(strategy.verbs))}"
    else:
        yield f"written bar by bar, not as series; warm-up: {strategy.warmup_bars} bars"
    if svg is None:
        return
    if not isinstance(strategy, Strategy):
        raise ConfigError(f"{text} is no graph of series, so there is no picture of it")
    try:
        svg.write_text(picture_of(strategy.graph), "utf-8")
    except OSError as error:
        raise ConfigError(f"{svg} cannot be written: {error.strerror}") from None
    yield f"\nwritten to {svg}"


if __name__ == "__main__":
    app(prog_name="python -m engine.show")
