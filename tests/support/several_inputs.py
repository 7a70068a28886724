"""A strategy of series on minutes that looks at longer bars and at another symbol, in an engine.

The minutes of the exchange are known beforehand; they reach the engine when and in the order a test says.
"""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.audit import Notice
from engine.model.bars import Bar, Bars
from engine.model.effects import Append
from engine.model.events import Event
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.signals import SignalArrays
from engine.model.timeframes import SECOND_NS, timeframe_ns, timeframe_text
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.feeds import longer_bars
from engine.strategies.base import SignalStrategy, registry
from engine.strategies.graph import Strategy
from engine.strategies.rules import Rules
from engine.strategies.slot import StrategySlot
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

MINUTE_NS = 60 * SECOND_NS
FIVE_NS = 5 * MINUTE_NS
FIRST_NS = START_NS - START_NS % FIVE_NS + FIVE_NS
"""The five minutes that begin behind the start; minutes of a test are counted from here."""
HISTORY = 3_000
OWN, OTHER = "BTCUSDT", "ETHUSDT"
NO_ENTRIES = RiskLimits(max_order_notional_quote=Decimal(1))


@registry.register
class Several(Strategy):
    """Wants in on every bar; out where a longer average is left behind. All that it remembers is told."""

    name = "several_inputs_for_tests"

    def define(self, bar: BarSeries) -> Rules:
        five, other = bar.on("5m"), bar.of(OTHER)
        slow = ta.ema(five.close, 3)
        return Rules(
            enter_long=True,
            exit_long=bar.close > 1e8,
            plot={
                "five": five.close,
                "slow": slow,
                "other": other.close,
                "ratio": ta.ema(bar.close / other.close, 4),
                "far": ta.ema(bar.close - slow, 2),
                "longer": ta.ema(bar.of(OTHER).on("5m").high, 2),
            },
        )


def minutes(symbol: str, seed: int) -> Bars:
    """What the exchange has: minutes from long before `FIRST_NS` to an hour behind it."""
    random, count = np.random.default_rng(seed), HISTORY + 60
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 0.002, count))), 2)
    opens = np.concatenate(([100.0], close[:-1]))
    times = FIRST_NS + (np.arange(count, dtype=np.int64) - HISTORY) * MINUTE_NS
    high, low = np.maximum(opens, close) + 0.01, np.minimum(opens, close) - 0.01
    return Bars(symbol, MINUTE_NS, times, opens, high, low, close, np.ones(count))


MARKET = {OWN: minutes(OWN, 1), OTHER: minutes(OTHER, 2)}


class Fed:
    """Bars that a strategy was fed since it was last made anew, in their order."""

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.anew = 0

    def begin(self, slot: StrategySlot, bar: Bar) -> None:
        """A bar is fed; one from before begins it all again."""
        if any(bar.open_time_ns <= one.open_time_ns for one in self.bars if _key(one) == _key(bar)):
            self.bars, self.anew = [], self.anew + 1
        self.bars.append(bar)

    def end(self) -> None:
        """Nothing to note."""

    def history(self, key: tuple[str, int]) -> Bars:
        """Those of one input."""
        rows = [bar for bar in self.bars if _key(bar) == key]
        times = np.array([bar.open_time_ns for bar in rows], np.int64)
        names = ("open", "high", "low", "close", "volume_base")
        return Bars(*key, times, *(np.array([getattr(bar, name) for bar in rows]) for name in names))


def _key(bar: Bar) -> tuple[str, int]:
    return bar.symbol, bar.timeframe_ns


class SeveralInputs:
    """The engine, the exchange, and the minutes. `answers`: whether the exchange gives klines at all."""

    def __init__(self, limits: RiskLimits = NO_ENTRIES, candles: str = "exchange") -> None:
        self.exchange = Exchange()
        self.exchange.klines = self._klines
        self.answers = True
        self.silent: set[str] = set()
        self.settings = config(
            spec(Several.name, timeframe="1m", candles=candles, params={}),
            symbols=(OWN, OTHER),
            limits=limits,
        )
        self.records: list[object] = []
        self.rig = self._start(Engine(self.settings))

    def _start(self, engine: Engine) -> Rig:
        self.fed = Fed()
        engine.strategies.guard.watch = self.fed
        rig = Rig(engine, self.exchange)
        rig.up().status(fresh=(OWN, OTHER))
        return rig

    @property
    def slot(self) -> StrategySlot:
        """The strategy's."""
        return self.rig.engine.strategies.slots[0]

    def restart(self) -> None:
        """Another engine, from the journal of this one."""
        self.records += [one.record for one in self.rig.effects if isinstance(one, Append)]
        found = Recovered("aaaaaa", 1, None, tuple(enumerate(self.records, 1)), 0, (), 1, None, 0)
        engine, now_ns = Engine(self.settings), self.rig.now_ns
        restore(engine, found)
        self.exchange.now_ns = now_ns
        self.rig = self._start(engine)
        self.rig.status(fresh=(OWN, OTHER))

    def _klines(self, request: wire.RequestKlines) -> list[Event]:
        length = timeframe_ns(request.interval)
        bars = longer_bars(MARKET[request.symbol], length)
        end = int(np.searchsorted(bars.open_time_ns, self.exchange.now_ns, side="right"))
        rows = range(max(0, end - request.limit), end)
        is_whole = self.answers and request.symbol not in self.silent
        told = tuple(kline(bars, row, self.exchange.now_ns) for row in rows)
        return [wire.KlinesReply(request.request_id, request.symbol, request.interval, told, is_whole)]

    def to(self, minute: float) -> "SeveralInputs":
        """Time goes on to so many minutes after the first; the order book is told every five seconds."""
        end = FIRST_NS + round(minute * MINUTE_NS)
        while self.rig.now_ns < end:
            self.rig.wait(min(5 * SECOND_NS, end - self.rig.now_ns) / SECOND_NS)
            self.rig.tick((self.rig.now_ns - START_NS) / SECOND_NS, 100.0)
        return self

    def stream(self, symbol: str, minute: int, timeframe: str = "1m") -> "SeveralInputs":
        """The exchange's bar that closes with a minute comes by its stream."""
        length = timeframe_ns(timeframe)
        bars = longer_bars(MARKET[symbol], length)
        close_ns = FIRST_NS + (minute + 1) * MINUTE_NS
        row = int(np.searchsorted(bars.open_time_ns, close_ns - length))
        assert bars.open_time_ns[row] == close_ns - length
        self.rig.feed(kline(bars, row, close_ns))
        return self

    def begin(self) -> "SeveralInputs":
        """Warmed up, with the bars that close at `FIRST_NS`."""
        return self.all_of(-1)

    def all_of(self, minute: int) -> "SeveralInputs":
        """All bars that close with a minute, as they would come at best."""
        self.to(minute + 1)
        if (minute + 1) % 5 == 0:
            self.stream(OWN, minute, "5m").stream(OTHER, minute, "5m")
        return self.stream(OTHER, minute).stream(OWN, minute)

    def signals(self) -> dict[int, Signal]:
        """The recorded ones from `FIRST_NS` on, by minute."""
        effects = [one.record for one in self.rig.effects if isinstance(one, Append)]
        found = [one for one in (*self.records, *effects) if isinstance(one, Signal)]
        return {
            (one.bar_open_time_ns - FIRST_NS) // MINUTE_NS: one
            for one in found
            if one.bar_open_time_ns >= FIRST_NS
        }

    def batch(self) -> SignalArrays:
        """What the strategy says about the history of the bars it was fed."""
        keys = [(OWN, MINUTE_NS), (OWN, FIVE_NS), (OTHER, MINUTE_NS), (OTHER, FIVE_NS)]
        deciding, *beside = [self.fed.history(key) for key in keys]
        return Several().batch_beside(deciding, beside)

    def differing(self, minutes: Sequence[int] | None = None) -> list[int]:
        """Minutes whose recorded values are not, to the last bit, those of the history."""
        opens = self.fed.history((OWN, MINUTE_NS)).open_time_ns.tolist()
        values, wrong = self.batch().values, []
        for minute, signal in self.signals().items():
            if minutes is not None and minute not in minutes:
                continue
            row = values[:, opens.index(FIRST_NS + minute * MINUTE_NS)]
            if row.tolist() != list(signal.values):
                wrong.append(minute)
        return wrong

    def remembers(self) -> bool:
        """Whether what it knows now is what the history of its bars gives."""
        strategy = self.slot.strategy
        assert isinstance(strategy, SignalStrategy)
        last, made = self.batch().at(-1), Several()
        made.bind(OWN, MINUTE_NS)
        assert isinstance(strategy, Strategy)
        assert strategy._stream is not None
        values = tuple(strategy._stream.last(node) for node in strategy.graph.plots.values())
        return repr(values) == repr(last.values)

    def said(self) -> list[str]:
        """Notices."""
        return [one.text for one in self.rig.notices(Notice) if isinstance(one, Notice)]


def kline(bars: Bars, row: int, now_ns: int) -> wire.Kline:
    """A bar of the exchange, closed or running."""
    at, length = int(bars.open_time_ns[row]), bars.timeframe_ns
    prices = (bars.open, bars.high, bars.low, bars.close, bars.volume_base)
    numbers = [float(one[row]) for one in prices]
    return wire.Kline(
        bars.symbol, timeframe_text(length), at, at + length, *numbers, 1.0, 1, at + length <= now_ns, at
    )
