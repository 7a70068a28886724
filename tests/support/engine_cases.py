"""Random backtests for both engines: hypothesis strategies that shrink to a few plain numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.backtest.data.funding import Funding
from engine.backtest.data.plans import SymbolPlan
from engine.model.bars import Bars
from engine.model.broker_settings import BrokerSettings, Costs, EntryOrder, Market, Sizing
from engine.model.exit_rules import ExitRules, PartialExit, RoiStep
from engine.model.signals import SIGNAL_NUMBERS, SignalArrays

HOUR_NS = 3_600_000_000_000
_START_NS = 1_700_000_000 * 1_000_000_000 // HOUR_NS * HOUR_NS
_TAGS = ("", "a", "b", "c")
Levels = NDArray[np.float64]


_seeds = st.integers(0, 2**32 - 1)
_percent = st.one_of(st.none(), st.sampled_from([0.1, 0.5, 1.0, 3.0, 10.0]))
_multiple = st.one_of(st.none(), st.sampled_from([0.5, 1.0, 2.0]))
_partials = st.lists(
    st.builds(
        PartialExit, at_r=st.sampled_from([0.5, 1.0, 1.5]), fraction=st.sampled_from([0.01, 0.25, 0.5])
    ),
    max_size=3,
    unique_by=lambda partial: partial.at_r,
).map(tuple)

_of_which_bar = st.sampled_from(["entry", "bar"])

exit_rules = st.builds(
    ExitRules,
    stop_loss_percent=_percent,
    take_profit_percent=_percent,
    stop_kind=st.sampled_from(["bar_close", "resting"]),
    stop_r=_multiple,
    take_profit_r=_multiple,
    break_even_at_r=_multiple,
    trailing_percent=_percent,
    partial_exits=_partials,
    signal_exits=st.booleans(),
    max_holding_bars=st.one_of(st.none(), st.integers(0, 6)),
    max_holding_strict=st.booleans(),
    cooldown_bars=st.integers(0, 3),
    allow_flip=st.booleans(),
    flip_needs_cooldown=st.booleans(),
    entry_bar=st.sampled_from(["keep", "signal_bar", "fill_bar", "pending"]),
    dedupe_tags=st.booleans(),
    protective_stop_percent=_percent,
    trailing_r=_multiple,
    trailing_r_of=_of_which_bar,
    trailing_after_percent=_percent,
    trailing_after_r=_multiple,
    break_even_at_percent=_percent,
    break_even_offset_percent=st.sampled_from([None, 0.0, 0.05]),
    signal_levels=_of_which_bar,
    minimal_roi=st.lists(
        st.builds(
            RoiStep,
            after_minutes=st.sampled_from([0.0, 60.0, 90.0, 300.0]),
            percent=st.sampled_from([-1.0, 0.0, 0.3, 2.0]),
        ),
        max_size=3,
        unique_by=lambda step: step.after_minutes,
    ).map(tuple),
    exit_time=st.sampled_from([None, None, "00:00", "15:30", "21:00"]),
    exit_timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
)
_sizing = st.one_of(
    st.builds(Sizing, kind=st.just("fixed"), value=st.sampled_from([0.3, 1.0, 2.5, 7.0])),
    st.builds(Sizing, kind=st.just("cash"), value=st.sampled_from([50.0, 1000.0])),
    st.builds(Sizing, kind=st.just("percent_of_equity"), value=st.sampled_from([3.0, 100.0, 400.0])),
    st.builds(Sizing, kind=st.just("risk_percent"), value=st.sampled_from([0.5, 20.0])),
)
_sizing = st.builds(replace, _sizing, by_strength=st.booleans())
_costs = st.builds(
    Costs,
    taker_percent=st.sampled_from([0.0, 0.05, 1.0]),
    maker_percent=st.sampled_from([None, 0.0, 0.02, -0.01]),
    cash_per_order=st.sampled_from([0.0, 0.7]),
    cash_per_contract=st.sampled_from([0.0, 0.03]),
    slippage_ticks=st.integers(0, 3),
    slippage_bps=st.sampled_from([0.0, 1.0, 30.0]),
)
_entry = st.builds(
    EntryOrder,
    kind=st.sampled_from(["market", "limit", "stop", "stop_limit"]),
    offset_percent=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    limit_offset_percent=st.sampled_from([0.0, 0.2, -0.5]),
    valid_bars=st.integers(1, 3),
)
_market = st.builds(
    Market,
    tick=st.sampled_from([0.01, 0.1, 0.5, 0.03]),
    qty_step=st.sampled_from([0.0001, 0.1, 1.0, 0.03]),
    point_value=st.sampled_from([1.0, 5.0, 0.1]),
    min_qty=st.sampled_from([0.0, 0.5]),
    min_notional=st.sampled_from([0.0, 60.0]),
    leverage=st.sampled_from([0.0, 1.0, 5.0, 50.0]),
    brackets=st.sampled_from([(), ((0.0, 0.004, 0.0), (500.0, 0.01, 3.0), (5000.0, 0.1, 453.0))]),
)


@st.composite
def broker_settings(draw: st.DrawFn, initial_capital: float) -> BrokerSettings:
    """Any settings that both engines take."""
    return BrokerSettings(
        initial_capital=initial_capital,
        sizing=draw(_sizing),
        costs=draw(_costs),
        market=draw(_market),
        timing=draw(st.sampled_from(["next_bar_open", "bar_close", "intrabar"])),
        entry=draw(st.one_of(st.just(EntryOrder()), _entry)),
        pyramiding=draw(st.sampled_from([1, 1, 0, 2, 3])),
        close_rule=draw(st.sampled_from(["FIFO", "ANY"])),
    )


def make_bars(symbol: str, kind: str, seed: int, count: int, price: float) -> Bars:
    """A random walk with holes in time; prices stay positive and consistent."""
    random = np.random.default_rng(seed)
    unit = {"flat": 0.0, "ticks": 0.01, "coarse": 0.5, "odd": price * 0.0037, "extreme": price * 0.03}[kind]
    rows = []
    close, least = price, price / 1000
    for bar in range(count):
        gap, body, upper, lower = random.integers([-8, -8, 0, 0], [9, 9, 6, 6])
        open_ = close if random.random() < 0.6 else max(least, close + gap * unit)
        close = max(least, open_ + body * unit)
        high, low = max(open_, close) + upper * unit, max(least / 2, min(open_, close) - lower * unit)
        if random.random() < 0.9:
            rows.append((_START_NS + bar * HOUR_NS, float(open_), float(high), float(low), float(close)))
    return _bars(symbol, HOUR_NS, rows)


def _bars(symbol: str, timeframe_ns: int, rows: list[tuple[int, float, float, float, float]]) -> Bars:
    times = np.array([row[0] for row in rows], np.int64)
    open_, high, low, close = (np.array([row[k] for row in rows], np.float64) for k in range(1, 5))
    return Bars(symbol, timeframe_ns, times, open_, high, low, close, np.zeros(len(rows)))


def make_signals(
    count: int, said: list[tuple[int, int, int, int]], unit: float, levels: Mapping[str, Levels] | None = None
) -> SignalArrays:
    """Signals from (bar, flags, tag, risk in units, 0 for none); the last word on a bar counts."""
    flags, tag, risk = np.zeros(count, np.int64), np.zeros(count, np.int32), np.full(count, nan)
    for bar, flag, name, units in said:
        if bar < count:
            flags[bar], tag[bar], risk[bar] = flag, name, units * unit if units else nan
    long, short, leave_long, leave_short = (flags & bit != 0 for bit in (1, 2, 4, 8))
    none = np.empty((0, count))
    return SignalArrays(long, short, leave_long, leave_short, tag, _TAGS, risk, none, **(levels or {}))


def make_levels(bars: Bars, names: Sequence[str], seed: int) -> dict[str, Levels]:
    """Prices of signals, most of them on the side where they belong and near the close; some are nan."""
    random = np.random.default_rng(seed)
    made = {}
    for name in names:
        below = name in ("limit_long", "stop_long", "target_short")
        away = random.choice([0.002, 0.01, 0.05]) * random.uniform(-0.2, 1.0, len(bars))
        made[name] = bars.close * (1.0 - away if below else 1.0 + away)
        if name == "strength":
            made[name] = random.uniform(-0.2, 1.2, len(bars))
        made[name][random.random(len(bars)) < random.choice([0.0, 0.3])] = nan
    return made


def make_finer(bars: Bars, seed: int) -> Bars:
    """Four finer bars in most bars; they fill most of these, and are a little off in the others."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(len(bars)):
        if random.random() < 0.2:
            continue
        price = float(bars.open[i])
        extremes, beyond = random.integers(0, 4, 2), 1.01 if random.random() < 0.1 else 1.0
        for quarter in range(4):
            if random.random() < 0.2:
                price = float(random.uniform(bars.low[i], bars.high[i]))
            close = float(bars.close[i] if quarter == 3 else random.uniform(bars.low[i], bars.high[i]))
            high = max(price, close, float(random.uniform(bars.low[i], bars.high[i] * beyond)))
            low = min(price, close, float(random.uniform(bars.low[i] / beyond, bars.high[i])))
            if beyond == 1.0 and quarter == extremes[0]:
                high = float(bars.high[i])
            if beyond == 1.0 and quarter == extremes[1]:
                low = float(bars.low[i])
            rows.append((int(bars.open_time_ns[i]) + quarter * HOUR_NS // 4, price, high, low, close))
            price = close
    return _bars(bars.symbol, HOUR_NS // 4, rows)


def make_funding(bars: Bars, seed: int) -> Funding:
    """Funding at the open of some bars and inside others."""
    random = np.random.default_rng(seed)
    chosen = bars.open_time_ns[random.random(len(bars)) < 0.4]
    times = np.sort(chosen + random.choice([0, HOUR_NS // 2, -1, HOUR_NS - 1], len(chosen)))
    return Funding(times.astype(np.int64), random.normal(0.0, 0.003, len(chosen)))


def _said_at_random(seed: int) -> list[tuple[int, int, int, int]]:
    random = np.random.default_rng(seed)
    often = random.choice([0.05, 0.2, 0.5])
    return [
        (bar, int(random.choice([1, 2, 3, 4, 8, 15])), int(random.integers(4)), int(random.integers(9)))
        for bar in range(100)
        if random.random() < often
    ]


@st.composite
def symbol_plan(draw: st.DrawFn, symbol: str, initial_capital: float, most_bars: int) -> SymbolPlan:
    """One symbol: a market on or off the tick grid, signals, rules and settings."""
    price = draw(st.sampled_from([100.0, 30.003, 4321.987]))
    kind = draw(st.sampled_from(["coarse", "odd", "extreme", "ticks", "flat"]))
    bars = make_bars(symbol, kind, draw(_seeds), draw(st.integers(1, most_bars)), price)
    said = st.tuples(
        st.integers(0, most_bars),
        st.sampled_from([1, 2, 3, 4, 8, 9, 6, 15]),
        st.integers(0, 3),
        st.integers(0, 8),
    )
    signals = draw(st.one_of(st.lists(said, max_size=most_bars // 2), _seeds.map(_said_at_random)))
    names = draw(st.lists(st.sampled_from(SIGNAL_NUMBERS), unique=True))
    levels = make_levels(bars, names, draw(_seeds))
    finer, funding = draw(st.one_of(st.none(), _seeds)), draw(st.one_of(st.none(), _seeds))
    return SymbolPlan(
        bars,
        make_signals(len(bars), signals, draw(st.sampled_from([0.5, price * 0.01, price * 0.6])), levels),
        draw(exit_rules),
        draw(broker_settings(initial_capital)),
        finer=None if finer is None else make_finer(bars, finer),
        funding=None if funding is None else make_funding(bars, funding),
    )


@st.composite
def plans(draw: st.DrawFn, most_symbols: int = 3, most_bars: int = 60) -> list[SymbolPlan]:
    """A whole backtest: up to three symbols on one account."""
    capital = draw(st.sampled_from([100_000.0, 3_000.0]))
    count = draw(st.integers(1, most_symbols))
    return [draw(symbol_plan(f"S{k}", capital, most_bars)) for k in range(count)]
