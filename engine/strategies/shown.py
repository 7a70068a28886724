"""A strategy's graph in lines of text: its series by name, its rules, its warm-up, the bars it looks at."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count

from engine.series.nodes import DECIDING, Feed, Node
from engine.series.words import expression
from engine.strategies.graph import Strategy
from engine.strategies.rules import Graph

_LONGEST, _LONGEST_SHARED = 60, 12
"""Nodes in an expression without a name of its own; in one that is used more than once."""


def names_of(graph: Graph) -> dict[int, str]:
    """Names of nodes by their numbers: those that the strategy gives, and s1, s2, ... for what would be long.

    With them each expression is short, however large the graph is.
    """
    names: dict[int, str] = {}
    for name, node in graph.rules.names.items():
        if node.op not in {"constant", "field"}:
            names.setdefault(node.number, name)
    used = Counter(arg.number for node in graph.nodes for arg in node.args)
    free = (name for name in (f"s{k}" for k in count(1)) if name not in graph.rules.names)
    lengths: dict[int, int] = {}
    for node in _as_written(graph):
        length = 1 + sum(1 if arg.number in names else lengths[arg.number] for arg in node.args)
        lengths[node.number] = length
        is_long = length > (_LONGEST_SHARED if used[node.number] > 1 else _LONGEST)
        if is_long and node.op not in {"call", "call_when", "join"} and node.number not in names:
            names[node.number] = next(free)
    return names


def _as_written(graph: Graph) -> Iterator[Node]:
    """All nodes, each after what it is made of: those of the strategy's names first, as it has them."""
    needed, seen = {node.number for node in graph.nodes}, set[int]()
    named = (node for node in graph.rules.names.values() if node.number in needed)
    waiting: list[tuple[Node, bool]] = [(node, False) for node in reversed((*named, *graph.roots))]
    while waiting:
        node, is_complete = waiting.pop()
        if is_complete:
            yield node
        elif node.number not in seen:
            seen.add(node.number)
            waiting.append((node, True))
            waiting += ((arg, False) for arg in reversed(node.args))


def lines_of(strategy: Strategy) -> Iterator[str]:
    """What the graph of a strategy says, with the values of its parameters."""
    graph = strategy.graph
    yield f"bars: {_bars_text(graph)}"
    feeds = (f"{_feed_text(feed)} {_warmup_text(graph, feed)}" for feed in graph.feeds)
    yield f"warm-up: {', '.join((_warmup_text(graph, DECIDING), *feeds))}"
    names = names_of(graph)
    series = [node for node in _as_written(graph) if node.number in names]
    if series:
        yield "series:"
        yield from (f"  {names[one.number]} = {expression(one, names, named=False)}" for one in series)
    yield "rules:"
    yield from (f"  {line}" for line in _rules(graph, names))
    if graph.plots:
        yield f"plotted: {', '.join(graph.plots)}"
    exits = list(_exits(strategy))
    if exits:
        yield "exits:"
        yield from (f"  {line}" for line in exits)


def _bars_text(graph: Graph) -> str:
    others = [_feed_text(feed) for feed in graph.feeds]
    volume = ["volume must be given"] if graph.needs_volume else []
    return ", ".join(["the deciding ones", *others]) + "".join(f"; {one}" for one in volume)


def _feed_text(feed: Feed) -> str:
    return " ".join(filter(None, (feed.symbol, feed.timeframe)))


def _warmup_text(graph: Graph, feed: Feed) -> str:
    endless = any(node.is_cumulative for node in graph.nodes if node.feed == feed)
    bars = graph.warmup_bars(feed)
    return f"{bars} bar{'' if bars == 1 else 's'}{', then still by where they begin' if endless else ''}"


def _rules(graph: Graph, names: Mapping[int, str]) -> Iterator[str]:
    for flag, node in graph.flags.items():
        if node.op != "constant":
            yield f"{flag} = {expression(node, names)}"
        elif node.data[0]:
            yield f"{flag} = true, on each bar"
    distance = graph.roots[len(graph.flags)]
    numbers = {"risk_distance": distance, **graph.numbers}
    for name, node in numbers.items():
        if name in graph.numbers or graph.rules.risk_distance is not None:
            yield f"{name} = {expression(node, names)}"
    yield from _tags(graph, names)


def _tags(graph: Graph, names: Mapping[int, str]) -> Iterator[str]:
    given = graph.rules.tag
    if isinstance(given, str):
        if given:
            yield f'tag = "{given}"'
        return
    for condition, text in given:
        when = expression(condition, names) if isinstance(condition, Node) else str(condition).lower()
        yield f'tag = "{text}" where {when}'


def _exits(strategy: Strategy) -> Iterator[str]:
    """The exit rules that are not as they are without any."""
    rules = strategy.exit_rules
    usual = type(rules)()
    for name in rules.__dataclass_fields__:
        value = getattr(rules, name)
        if value != getattr(usual, name):
            yield f"{name} = {value}"
