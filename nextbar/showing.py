"""`nextbar show`: a strategy in text."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from engine.backtest.runs.config import choices
from engine.backtest.runs.strategies import built, strategy_class
from engine.backtest.strategy_list import describe
from engine.series.words import expression
from engine.strategies.base import SignalStrategy
from engine.strategies.graph import Strategy


def lines_about(text: str, params: Sequence[str] = ()) -> Iterator[str]:
    """What a strategy is, its parameters, its rules; `ConfigError` where it cannot be found or made.

    `params` are `NAME=VALUE`.
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


def _rules(strategy: Strategy) -> Iterator[str]:
    graph = strategy.graph
    names = {node.number: name for name, node in graph.rules.names.items()}
    for name, node in graph.rules.names.items():
        yield f"{name} = {expression(node, names, named=False)}"
    for flag, node in graph.flags.items():
        yield f"{flag}: {expression(node, names)}"
    for name, node in graph.numbers.items():
        yield f"{name}: {expression(node, names)}"
