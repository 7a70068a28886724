"""The first difference between generated and listed trades, and the strategy's state there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from math import isnan, nan
from zoneinfo import ZoneInfo

import numpy as np

from engine.backtest.parity.cases import CaseResult
from engine.backtest.parity.comparison import Pair
from engine.backtest.parity.tv_export import ListedTrade
from engine.exits.exit_plan import ExitPlan
from engine.exits.layout import S_COOLDOWN, S_ENTRY_BAR
from engine.model.bars import Bars
from engine.model.signals import Signals
from engine.model.trades import Trade

_FLAGS = ("enter_long", "enter_short", "exit_long", "exit_short")


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first pair that is no match.

    `time_ns` is the bar of the fill on which the two sides part; `decision_ns` the bar whose close
    decided it. `columns` are those that differ, empty where a trade is missing or extra. `state` is the
    strategy's at the decision: flags, values now and one bar before, position, holding, cooldown. Times in
    words are in `zone`, the list's own.
    """

    pair: Pair
    time_ns: int
    decision_ns: int
    columns: tuple[str, ...]
    listed: str
    generated: str
    state: dict[str, object]
    zone: tzinfo = UTC

    @property
    def sentence(self) -> str:
        """One line for the table."""
        listed = self.pair.listed
        when = stamp(self.time_ns, self.zone)
        if listed is None:
            return f"{when} generated a trade that is not listed"
        if self.pair.generated is None:
            return f"{when} listed trade {listed.number} was not generated"
        return f"{when} trade {listed.number}: {', '.join(self.columns)}"


def differing_money(pair: Pair) -> str:
    """The money columns that differ: what the list prints, and our unrounded amount."""
    if pair.listed is None:
        return ""
    return ", ".join(
        f"{name} {pair.listed.money[name]} listed, {pair.amounts[name]:.10g} ours"
        for name, verdict in pair.verdicts.items()
        if verdict != "equal" and name in pair.amounts
    )


def stamp(time_ns: int, zone: tzinfo = UTC) -> str:
    """A time as people read it, with its zone: `2025-01-31 14:00 UTC+8`."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, zone)
    again = ", the second time" if moment.fold else ""
    return f"{moment:%Y-%m-%d %H:%M} {zone_name(zone)}{again}"


def zone_name(zone: tzinfo) -> str:
    """`America/New_York`, `UTC`, `UTC+8`, `UTC-3:30`."""
    if isinstance(zone, ZoneInfo):
        return zone.key
    offset = zone.utcoffset(None) or timedelta()
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    sign = "-" if offset < timedelta() else "+"
    return "UTC" + (f"{sign}{hours}" if offset else "") + (f":{minutes:02d}" if minutes else "")


def first_divergence(result: CaseResult) -> Divergence | None:
    """The first divergence of a case, or None when every trade matches."""
    pair = result.comparison.first_divergence
    if pair is None:
        return None
    columns = tuple(name for name, verdict in pair.verdicts.items() if verdict != "equal")
    time_ns = _parting_time(pair, columns)
    bars = result.plan.bars
    on_close = result.plan.settings.timing == "bar_close"
    fill_bar = int(np.searchsorted(bars.open_time_ns, time_ns))
    decision = min(max(fill_bar - (0 if on_close else 1), 0), len(bars) - 1)
    return Divergence(
        pair,
        time_ns,
        int(bars.open_time_ns[decision]),
        columns,
        _describe(pair.listed, result.zone),
        _describe(pair.generated, result.zone),
        state_at(result, decision),
        result.zone,
    )


def state_at(result: CaseResult, bar: int) -> dict[str, object]:
    """What the strategy saw and remembered when it decided on `bar`, before it decided."""
    plan = result.plan
    signals = plan.signals
    names = result.value_names
    rules = ExitPlan(plan.exit_rules)
    sizes, prices = _position_seen(result)
    bars = plan.bars
    for i in range(bar):
        rules.on_bar(
            i, bars.high[i], bars.low[i], signals.at(i), sizes[i], prices[i], times_ns=_times(bars, i)
        )
    cooldown = rules.snapshot().values[S_COOLDOWN]
    # A bar without signals counts holding and leaves the count as the decision saw it.
    none = Signals(False, False, False, False)
    rules.on_bar(
        bar, bars.high[bar], bars.low[bar], none, sizes[bar], prices[bar], times_ns=_times(bars, bar)
    )
    entry_bar = rules.snapshot().values[S_ENTRY_BAR]
    return {
        "bar": bar,
        "open": float(bars.open[bar]),
        "high": float(bars.high[bar]),
        "low": float(bars.low[bar]),
        "close": float(bars.close[bar]),
        "flags": [name for name in _FLAGS if getattr(signals, name)[bar]],
        "values": {name: _number(signals.values[k, bar]) for k, name in enumerate(names)},
        "values_before": {
            name: _number(signals.values[k, bar - 1]) if bar else None for k, name in enumerate(names)
        },
        "position_size": float(sizes[bar]),
        "entry_price": _number(prices[bar]),
        "entry_bar": None if isnan(entry_bar) else int(entry_bar),
        "held_bars": None if isnan(entry_bar) else bar - int(entry_bar),
        "cooldown": int(cooldown),
    }


def _position_seen(result: CaseResult) -> tuple[list[float], list[float]]:
    """Signed size and entry price that each bar's decision saw, from the generated trades."""
    n = len(result.plan.bars)
    sizes, prices = np.zeros(n), np.full(n, nan)
    late = 1 if result.plan.settings.timing == "bar_close" else 0
    for trade in (*result.result.trades, *result.result.open_trades):
        last = n if trade.exit_bar < 0 else trade.exit_bar + late
        held = slice(trade.entry_bar + late, last)
        sizes[held] += trade.direction * trade.qty
        prices[held] = trade.entry_price
    return sizes.tolist(), prices.tolist()


def _times(bars: Bars, bar: int) -> tuple[int, int]:
    opened = int(bars.open_time_ns[bar])
    return opened, opened + bars.timeframe_ns


def _parting_time(pair: Pair, columns: tuple[str, ...]) -> int:
    listed, generated = pair.listed, pair.generated
    if listed is None or generated is None:
        return pair.time_ns
    if any(name.startswith("entry") or name in {"direction", "qty"} for name in columns):
        return min(listed.entry_time_ns, generated.entry_time_ns)
    if generated.exit_bar < 0:
        return listed.exit_time_ns
    if listed.is_open:
        return generated.exit_time_ns
    return min(listed.exit_time_ns, generated.exit_time_ns)


def _describe(trade: ListedTrade | Trade | None, zone: tzinfo) -> str:
    """One line about a trade of either side."""
    if trade is None:
        return "nothing"
    is_open = trade.is_open if isinstance(trade, ListedTrade) else trade.exit_bar < 0
    side = "long" if trade.direction > 0 else "short"
    entry = (
        f"{stamp(trade.entry_time_ns, zone)} {side} {trade.qty} at {trade.entry_price} ({trade.entry_signal})"
    )
    if is_open:
        return f"{entry}, still open"
    return f"{entry}, out {stamp(trade.exit_time_ns, zone)} at {trade.exit_price} ({trade.exit_signal})"


def _number(value: float) -> float | None:
    return None if isnan(value) else float(value)
