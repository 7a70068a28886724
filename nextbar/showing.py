"""`nextbar show`: a strategy in text, and its graph as a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from engine.backtest.data.configuration import ConfigError
from engine.backtest.runs.config import choices
from engine.backtest.runs.strategies import AnyStrategy, built, strategy_class
from engine.backtest.strategy_list import describe
from engine.series.words import expression
from engine.strategies.base import SignalStrategy
from engine.strategies.graph import Strategy
from nextbar.picture import picture_of


def lines_about(text: str, params: Sequence[str] = (), svg: Path | None = None) -> Iterator[str]:
    """What a strategy is, its parameters, its rules; `ConfigError` where it cannot be found or made.

    `params` are `NAME=VALUE`. `svg` is a file for a picture of its graph.
    """
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
    if isinstance(strategy, SignalStrategy):
        yield f"\nwarm-up: {strategy.warmup_bars} bars"
    if isinstance(strategy, Strategy):
        yield ""
        yield from _rules(strategy)
    if svg is not None:
        _draw(text, strategy, svg)
        yield f"\nwritten to {svg}"


def _draw(text: str, strategy: AnyStrategy, svg: Path) -> None:
    if not isinstance(strategy, Strategy):
        raise ConfigError(f"{text} is no graph of series, so there is no picture of it")
    try:
        svg.write_text(picture_of(strategy.graph), "utf-8")
    except OSError as error:
        raise ConfigError(f"{svg} cannot be written: {error.strerror}") from None


def _rules(strategy: Strategy) -> Iterator[str]:
    graph = strategy.graph
    names = {node.number: name for name, node in graph.rules.names.items()}
    for name, node in graph.rules.names.items():
        yield f"{name} = {expression(node, names, named=False)}"
    for flag, node in graph.flags.items():
        yield f"{flag}: {expression(node, names)}"
    for name, node in graph.numbers.items():
        yield f"{name}: {expression(node, names)}"
