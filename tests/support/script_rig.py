"""One script on one path of prices, in the backtest and live, and what it has filled in either."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import ClassVar, NamedTuple

import msgspec
import numpy as np

from engine.backtest.emulator.pine_settings import pine_settings
from engine.backtest.emulator.script_runner import run_script
from engine.core.engine import Engine
from engine.core.restore import restore
from engine.execution.scripts.verbs import LIVE_VERBS
from engine.journal.recovered import Recovered
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import Sizing
from engine.model.events import Event
from engine.model.records import Fill
from engine.model.timeframes import SECOND_NS
from engine.strategies.base import Broker, ScriptStrategy, StrategyParams, registry
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

Act = Callable[[Bar, Broker], None]
ZERO, STEP = Decimal(0), Decimal("0.001")
A_TENTH = Sizing("fixed", 0.1)


class Filled(NamedTuple):
    """One exit that has filled."""

    bar: int
    signed_base: Decimal
    price: float
    text: str


class _Params(StrategyParams):
    """None."""


@registry.register
class ByTheClock(ScriptStrategy):
    """Does on the bar of each second what the test put there."""

    name = "by_the_clock_for_tests"
    Params = _Params
    acts: ClassVar[dict[int, Act]] = {}

    def __init__(self, params: StrategyParams | None = None) -> None:
        self.params = params or _Params()

    @property
    def verbs(self) -> frozenset[str]:
        return LIVE_VERBS

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        act = self.acts.get((bar.open_time_ns - START_NS) // SECOND_NS)
        if act is not None:
            act(bar, broker)


class Market(Exchange):
    """Fills what rests when price comes to it, at its level; in that many `parts` where it can."""

    def __init__(self, parts: int = 1) -> None:
        super().__init__()
        self.parts = parts
        self.price = 100.0
        self.submitted: dict[str, wire.SubmitOrder] = {}

    def execute(self, order: wire.SubmitOrder) -> list[Event]:
        """As usual, but a market order may fill in parts."""
        self.submitted[order.client_order_id] = order
        return super().execute(order)

    def fill(self, order: wire.SubmitOrder, qty: Decimal) -> list[Event]:
        """A reduce-only order is cut down to the position."""
        if order.reduce_only:
            qty = min(qty, abs(self.position))
        each = max(STEP, (qty / self.parts).quantize(STEP))
        events: list[Event] = []
        for part in range(self.parts):
            size = min(each, qty) if part + 1 < self.parts else qty
            if size > ZERO:
                events += super().fill(order, size)
                qty -= size
        return events

    def update(
        self,
        order: wire.SubmitOrder,
        execution: str,
        status: str,
        filled: Decimal,
        trade_id: int,
        qty: Decimal = ZERO,
    ) -> wire.OrderUpdate:
        """Fills are at the price of the moment, whichever side."""
        self.bid = self.ask = Decimal(str(self.price))
        return super().update(order, execution, status, filled, trade_id, qty)

    def first_met(self, end: float) -> tuple[float, wire.SubmitOrder] | None:
        """The order that price meets first on its way to `end`, and where."""
        found = []
        for place, (key, order) in enumerate(self.orders.items()):
            level = float(order.price if order.order_type == "LIMIT" else order.stop_price)
            rises = (order.side == "SELL") == (order.order_type == "LIMIT")
            passed = self.price >= level if rises else self.price <= level
            comes = end >= level if rises else end <= level
            if passed or comes:
                at = self.price if passed else level
                found.append((abs(at - self.price), place, at, self.submitted[key]))
        if not found:
            return None
        _, _, at, submitted = min(found, key=lambda one: one[:2])
        return at, submitted

    def amend(self, message: wire.AmendOrder) -> list[Event]:
        """What is filled later are the new terms."""
        before = self.submitted[message.client_order_id]
        self.submitted[message.client_order_id] = msgspec.structs.replace(before, qty_base=message.qty_base)
        return super().amend(message)


def nodes(open_: float, high: float, low: float, close: float) -> tuple[float, ...]:
    """The way price takes in a bar, by the rule of the backtest."""
    upwards = high - open_ < open_ - low
    return (open_, high, low, close) if upwards else (open_, low, high, close)


class LiveScript:
    """The script in an engine, with a market that follows the path."""

    def __init__(self, acts: dict[int, Act], parts: int = 1, sizing: Sizing = A_TENTH) -> None:
        ByTheClock.acts = acts
        self.market = Market(parts)
        self.sizing = sizing
        self.rig = Rig(self._engine(), self.market).up()
        self.records: list[object] = []

    def bar(self, index: int, ohlc: Sequence[float]) -> None:
        """One second of prices."""
        for place, price in enumerate(nodes(*ohlc)):
            self._go(price)
            self.rig.tick(index + 0.2 * place, round(price - 0.1, 6))
            self._go(price)

    def restart(self, *, is_torn: bool = False) -> None:
        """A new engine begins from the journal of the old one. A torn one ends with its last fill."""
        self.records += [one.record for one in self.rig.effects if hasattr(one, "record")]
        while is_torn and not isinstance(self.records[-1], Fill):
            self.records.pop()
        found = Recovered("aaaaaa", 1, None, tuple(enumerate(self.records, 1)), 0, (), 1, None, 0)
        engine = self._engine()
        restore(engine, found)
        now_ns, marked_ns = self.rig.now_ns, self.rig.marked_ns
        self.rig = Rig(engine, self.market)
        self.rig.now_ns, self.rig.marked_ns = now_ns, marked_ns
        self.rig.up()

    def filled(self) -> list[Filled]:
        """Exits, in order; parts of one order at one price are one."""
        records = [*self.records, *(one.record for one in self.rig.effects if hasattr(one, "record"))]
        found: list[Filled] = []
        exits: dict[str, int] = {}
        held = ZERO
        for one in (record for record in records if isinstance(record, Fill)):
            is_exit = held * one.signed_base < ZERO
            held += one.signed_base
            if not is_exit:
                continue
            bar = (one.time_ns - START_NS) // SECOND_NS
            new = Filled(bar, one.signed_base, float(one.price), one.signal)
            at = exits.get(one.client_order_id)
            if at is None:
                exits[one.client_order_id] = len(found)
                found.append(new)
            else:
                found[at] = new._replace(signed_base=found[at].signed_base + one.signed_base)
        return found

    def _engine(self) -> Engine:
        return Engine(config(spec(ByTheClock.name, params={}, sizing=self.sizing)))

    def _go(self, end: float) -> None:
        """Move price there, filling what it meets."""
        while met := self.market.first_met(end):
            self.market.price, order = met
            key = order.client_order_id
            left = order.qty_base - self.market.orders[key].filled_base
            for event in self.market.fill(order, left):
                self.rig.feed(event)
        self.market.price = end


def backtest_fills(acts: dict[int, Act], bars: Sequence[Sequence[float]]) -> tuple[list[Filled], Decimal]:
    """Exits in order, and the position at the end, of the same script in the backtest."""
    ByTheClock.acts = acts
    prices = np.array(bars, dtype=np.float64)
    times = START_NS + np.arange(len(bars), dtype=np.int64) * SECOND_NS
    columns = (prices[:, 0], prices[:, 1], prices[:, 2], prices[:, 3], np.ones(len(bars)))
    found = run_script(
        ByTheClock(),
        Bars("BTCUSDT", SECOND_NS, times, *columns),
        pine_settings(mintick=0.1, mincontract=0.001, margin_long=0, margin_short=0),
    )
    exits = [
        Filled(one.exit_bar, base_of(-one.direction * one.qty), one.exit_price, one.exit_signal)
        for one in found.trades
    ]
    return exits, sum((base_of(one.direction * one.qty) for one in found.open_trades), ZERO)


def base_of(qty: float) -> Decimal:
    """A quantity on the grid."""
    return Decimal(str(qty)).quantize(STEP)
