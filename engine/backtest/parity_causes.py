"""Why two trade lists differ: each likely cause is tried, and the one that explains most is named."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from engine.backtest.parity_divergence import Divergence, stamp
from engine.backtest.tv_export import ListedTrade
from engine.backtest.validate_cases import CaseResult, Engine, Prepared, bars_of, build_strategy, run_case
from engine.backtest.validate_config import Case, ConfigError, to_ns
from engine.strategies.base import SignalStrategy

_HOUR_NS = 3_600_000_000_000
_CHOICES: dict[str, tuple[object, ...]] = {
    "entry_bar": ("keep", "signal_bar", "fill_bar", "pending"),
    "max_holding_strict": (False, True),
    "flip_needs_cooldown": (False, True),
    "allow_flip": (True, False),
    "signal_mode": ("momentum", "mean_reversion"),
    "exit_mode": ("midpoint", "breakout"),
    "source": ("close", "hlc3"),
    "smoothing": ("sum", "wilder"),
    "ma_type": ("sma", "ema", "dema", "tema"),
}
_COMMISSIONS = (0.0, 0.0005, 0.04, 0.05, 0.1)
_QTY_STEPS = (0.0001, 0.001, 0.01, 0.1, 1.0)
_START_SHIFTS_HOURS = (-24, -16, -12, -8, -1, 1, 8, 12, 16, 24)


@dataclass(frozen=True, slots=True)
class Cause:
    """One explanation. `matched` is how many trades would match with it, of `of`."""

    kind: str
    sentence: str
    matched: int
    of: int


def likely_cause(result: CaseResult, divergence: Divergence, engine: Engine) -> Cause:
    """The explanation that would let most trades match, or that nothing tried here helps.

    Tried: other data (prices at the listed fills), other zones, other first bars, other variants of
    the rules, other costs and lot sizes; one change at a time, except that `entry_bar` and
    `max_holding_strict` also change together.
    """
    found = result.comparison
    data = _data_cause(result)
    best: tuple[tuple[float, float], Cause] | None = None
    before = (found.parity, _agreement(result))
    for kind, what, case in _alternatives(result):
        score, cause = _tried(result.prepared, case, kind, what, engine)
        if score > before and (best is None or score > best[0]):
            best = (score, cause)
    if best is not None and (data is None or best[1].matched >= found.matched + data[0]):
        return best[1]
    if data is not None:
        return data[1]
    if divergence.time_ns >= max(t.entry_time_ns for t in result.prepared.listed):
        hint = "unknown: all listed entries match before it; the list may end earlier, give history_end"
    else:
        hint = "unknown: no other zone, first bar, rule variant, cost or lot size tried here explains more"
    return Cause("unknown", hint, found.matched, found.reference_trades)


def _tried(
    prepared: Prepared, case: Case, kind: str, what: str, engine: Engine
) -> tuple[tuple[float, float], Cause]:
    nothing = (-1.0, 0.0), Cause(kind, what, -1, 0)
    if len(bars_of(case, prepared.history)) < 2:
        return nothing
    try:
        other = run_case(_with(prepared, case), "", engine)
    except ConfigError:
        return nothing
    found = other.comparison
    sentence = f"{kind}: with {what} {found.matched} of {found.reference_trades} trades match"
    if found.extra:
        sentence += f", {found.extra} extra"
    return (found.parity, _agreement(other)), Cause(kind, sentence, found.matched, found.reference_trades)


def _with(prepared: Prepared, case: Case) -> Prepared:
    """The case changed; the listed stamps move with the zone."""
    shift_hours = prepared.case.utc_offset_hours - case.utc_offset_hours
    listed = prepared.listed
    if shift_hours:
        shift = int(shift_hours * _HOUR_NS)
        listed = tuple(_moved(trade, shift) for trade in listed)
    return replace(prepared, case=case, listed=listed)


def _moved(trade: ListedTrade, shift_ns: int) -> ListedTrade:
    return replace(
        trade, entry_time_ns=trade.entry_time_ns + shift_ns, exit_time_ns=trade.exit_time_ns + shift_ns
    )


def _changed(case: Case, **changes: object) -> Case:
    return case.model_copy(update=changes)


def _with_params(case: Case, changes: dict[str, object]) -> Case:
    return _changed(case, params={**case.params, **changes})


def _with_broker(case: Case, **changes: object) -> Case:
    return _changed(case, broker=case.broker.model_copy(update=changes))


def _data_cause(result: CaseResult) -> tuple[int, Cause] | None:
    """Listed entries that fill where our bars say price was not, and how many there are."""
    bars, settings = result.plan.bars, result.plan.settings
    if not isinstance(result.strategy, SignalStrategy):
        return None  # a script's entries may rest and fill anywhere in a bar
    if settings.costs.slippage_ticks or settings.costs.slippage_bps:
        return None
    prices = bars.close if settings.timing == "bar_close" else bars.open
    wrong = []
    for trade in result.prepared.listed:
        i = int(np.searchsorted(bars.open_time_ns, trade.entry_time_ns))
        there = i < len(bars) and bars.open_time_ns[i] == trade.entry_time_ns
        if not there or abs(prices[i] - float(trade.entry_price)) > settings.market.tick / 2:
            wrong.append((trade, f"{prices[i]:.10g}" if there else None))
    if not wrong:
        return None
    trade, ours = wrong[0]
    at = f"trade {trade.number} enters at {trade.entry_price} on {stamp(trade.entry_time_ns)}"
    where = "where there is no bar" if ours is None else f"our bar fills at {ours}"
    sentence = f"data: {len(wrong)} listed entries differ from the bars; {at}, {where}"
    found = result.comparison
    return len(wrong), Cause("data", sentence, found.matched, found.reference_trades)


def _agreement(result: CaseResult) -> float:
    return sum(result.comparison.columns.values())


def _alternatives(result: CaseResult) -> Iterator[tuple[str, str, Case]]:
    case = result.case
    yield from _zones(result)
    yield from _starts(result)
    yield from _rules(case)
    yield from _costs(case)


def _zones(result: CaseResult) -> Iterator[tuple[str, str, Case]]:
    """The one other zone, if any, in which more of the listed entries are generated ones."""
    case = result.case
    if case.time_zone is not None:
        return
    made = {(t.entry_time_ns, t.direction) for t in (*result.result.trades, *result.result.open_trades)}

    def hits(hours: float) -> int:
        shift = int((case.utc_offset_hours - hours) * _HOUR_NS)
        return sum((t.entry_time_ns + shift, t.direction) in made for t in result.prepared.listed)

    offsets = [quarter / 4 for quarter in range(-14 * 4, 14 * 4 + 1)]
    best = max(offsets, key=lambda hours: (hits(hours), -abs(hours - case.utc_offset_hours)))
    if hits(best) > hits(case.utc_offset_hours):
        yield "time zone", f"utc_offset_hours {best:g}", _changed(case, utc_offset_hours=best)


def _starts(result: CaseResult) -> Iterator[tuple[str, str, Case]]:
    case, history = result.case, result.prepared.history
    first = int(result.plan.bars.open_time_ns[0])
    entry = min(t.entry_time_ns for t in result.prepared.listed)
    begin = datetime.fromtimestamp(entry // 1_000_000_000, UTC)
    year = to_ns(begin.replace(month=1, day=1, hour=0, minute=0, second=0))
    assert year is not None
    zone = int(case.utc_offset_hours * _HOUR_NS)
    starts = [first + hours * _HOUR_NS for hours in _START_SHIFTS_HOURS]
    starts += [year, year - zone, year - 24 * _HOUR_NS, entry - 300 * history.timeframe_ns]
    starts.append(int(history.open_time_ns[0]))
    for start in dict.fromkeys(starts):
        if start != first and start >= history.open_time_ns[0]:
            moment = datetime.fromtimestamp(start // 1_000_000_000, UTC)
            yield "history start", f"history_start {stamp(start)}", _changed(case, history_start=moment)


def _rules(case: Case) -> Iterator[tuple[str, str, Case]]:
    strategy = build_strategy(case)
    if not isinstance(strategy, SignalStrategy):
        return
    given = strategy.params.model_dump()
    for name, choices in _CHOICES.items():
        for choice in choices:
            if name in given and given[name] != choice:
                yield "rule", f"{name} {choice}", _with_params(case, {name: choice})
    for entry_bar in _CHOICES["entry_bar"]:
        if entry_bar != given["entry_bar"]:
            strict = not given["max_holding_strict"]
            changes = {"entry_bar": entry_bar, "max_holding_strict": strict}
            yield (
                "rule",
                f"entry_bar {entry_bar} and max_holding_strict {strict}",
                _with_params(case, changes),
            )
    if given.get("max_holding_bars") is not None:
        for more in (-1, 1):
            bars = int(given["max_holding_bars"]) + more
            if bars >= 0:
                yield "rule", f"max_holding_bars {bars}", _with_params(case, {"max_holding_bars": bars})
    other = not case.broker.process_orders_on_close
    yield "rule", f"process_orders_on_close {other}", _with_broker(case, process_orders_on_close=other)


def _costs(case: Case) -> Iterator[tuple[str, str, Case]]:
    for percent in _COMMISSIONS:
        if percent != case.broker.commission_percent:
            yield "costs", f"commission_percent {percent:g}", _with_broker(case, commission_percent=percent)
    for step in _QTY_STEPS:
        if step != case.broker.qty_step:
            yield "lot size", f"qty_step {step:g}", _with_broker(case, qty_step=step)
