"""`calc_on_order_fills`: after a fill inside a bar the script runs again, standing where the fill happened.

The emulator stands at the nodes of the assumed path: the open, the nearer extreme, the farther one. A run
forgets what the runs of the same bar before it remembered (Pine's rollback of `var`); the orders it placed
stay. The run at the close follows as on every bar. Source of the order of events: measurements described
in pynesys-pynecore's documentation of this property.
"""

import copy
from itertools import pairwise

from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.price_path import path
from engine.model.bars import Bar
from engine.strategies.base import ScriptStrategy
from engine.strategies.faults import decide

_LAST_NODE = 2


class Recalculation:
    """Runs one script on one broker."""

    def __init__(self, strategy: ScriptStrategy, broker: BacktestBroker) -> None:
        self._strategy = strategy
        self._broker = broker

    def fill_bar(self, index: int, bar: Bar) -> None:
        """Steps 2 to 4 of one bar, with the script's runs between them."""
        broker = self._broker
        nodes = path(bar.open, bar.high, bar.low, bar.close)
        legs = list(pairwise(nodes))
        fills = broker.fills
        broker.fill_open(index, bar.open_time_ns, bar.open, bar.high, bar.low)
        broker.begin_path(bar.high, bar.low)
        node = 0 if broker.fills > fills else self._walk(legs, 0, fills)
        remembered = copy.deepcopy(self._strategy.__dict__) if broker.fills > fills else None
        while broker.fills > fills and node <= _LAST_NODE:
            self._run(remembered or {}, bar, nodes, node)
            fills = broker.fills
            broker.fill_now(nodes[node])
            if broker.fills > fills:
                broker.walk(*legs[node])
                node += 1
            else:
                node = self._walk(legs, node, fills)
        broker.end_path(bar.high, bar.low)
        if remembered is not None:
            self._forget(remembered)

    def _walk(self, legs: list[tuple[float, float]], first: int, fills: int) -> int:
        """Walk until a leg fills something; the node it ends at."""
        for k in range(first, len(legs)):
            self._broker.walk(*legs[k])
            if self._broker.fills > fills:
                return k + 1
        return len(legs)

    def _run(self, remembered: dict[str, object], bar: Bar, nodes: tuple[float, ...], node: int) -> None:
        """One run of the script, seeing the bar as built up to the node."""
        self._forget(remembered)
        seen = nodes[: node + 1]
        self._broker.settle(nodes[node])
        partial = Bar(
            bar.symbol,
            bar.timeframe_ns,
            bar.open_time_ns,
            bar.open,
            max(seen),
            min(seen),
            nodes[node],
            bar.volume_base,
            bar.kind,
            bar.flags,
            bar.ticks,
        )
        decide(self._strategy, partial, self._broker)

    def _forget(self, remembered: dict[str, object]) -> None:
        self._strategy.__dict__.clear()
        self._strategy.__dict__.update(copy.deepcopy(remembered))
