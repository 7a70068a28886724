"""Finds why two trade lists differ: tries likely causes and names the ones that explain the trades.

Causes are tried in the order in which people make these mistakes. One is judged by how many trades match
once it is mended; on top of the best one a second and a third are looked for, because a wrong zone and one
differing bar may hold at once.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np

from engine.backtest.data.broker_config import SIZES
from engine.backtest.data.configuration import ConfigError
from engine.backtest.parity import guesses
from engine.backtest.parity.cases import CaseResult, Prepared, bars_of, build_strategy, run_case
from engine.backtest.parity.config import Case
from engine.backtest.parity.divergence import Divergence, stamp
from engine.backtest.parity.tv_export import restamped
from engine.backtest.runs.engines import Engine
from engine.strategies.base import SignalStrategy

_SECOND_NS = 1_000_000_000
_HOUR_NS = 3600 * _SECOND_NS
_MOST_CAUSES = 3
_LEAST_SHARE = 0.02
"""Of the trades that do not match: what a cause must explain to be more than a coincidence."""
_COMMISSIONS = ("commission_percent", "cash_per_order", "cash_per_contract")
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
_START_SHIFTS_HOURS = (-24, -16, -12, -8, -1, 1, 8, 12, 16, 24)


@dataclass(frozen=True, slots=True)
class Cause:
    """One explanation, or several that hold at once. `matched` is how many trades match with it, of `of`."""

    kinds: tuple[str, ...]
    sentence: str
    matched: int
    of: int

    @property
    def kind(self) -> str:
        """Short name of the cause: `time zone`, `time zone and sizing`."""
        return " and ".join(self.kinds)


@dataclass(frozen=True, slots=True)
class _Change:
    """One setting that may be wrong; `note` is printed beside it."""

    kind: str
    what: str
    apply: Callable[[Prepared], Prepared]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Try:
    changes: tuple[_Change, ...]
    result: CaseResult

    @property
    def score(self) -> tuple[float, float]:
        """Parity, then how many cells agree."""
        found = self.result.comparison
        return found.parity, sum(found.columns.values())

    @property
    def unmatched(self) -> int:
        """Trades of either list that do not match: different, missing or extra."""
        return sum(not pair.is_match for pair in self.result.comparison.pairs)


def likely_cause(result: CaseResult, divergence: Divergence, engine: Engine) -> Cause:
    """What lets most trades match, or that nothing tried here helps.

    Tried are zone, size, costs, capital, timing, first bar, rules, quantity step and bars, and up to three
    of them together. What lets no further trade match is not named.
    """
    best = _Try((), result)
    while len(best.changes) < _MOST_CAUSES and best.result.comparison.parity < 1.0:
        better = _better(best, engine)
        if better is None:
            break
        best = better
    best = _needed(best, result, engine)
    found = best.result.comparison
    outside = guesses.impossible_fills(best.result)
    changes, notes = best.changes, [change.note for change in best.changes if change.note]
    if outside and found.parity < 1.0:
        one, where = outside[0]
        at = f"trade {one.number}, entered {stamp(one.entry_time_ns, one.zone)} at {one.entry_price}"
        fills = "1 listed fill lies" if len(outside) == 1 else f"{len(outside)} listed fills lie"
        notes.append(f"{fills} outside our bars, first of {at}: {where}")
    if not changes and not outside:
        return Cause(("unknown",), _unknown(result, divergence), found.matched, found.reference_trades)
    kinds = [change.kind for change in changes] + (["data"] if outside and found.parity < 1.0 else [])
    kinds = list(dict.fromkeys(kinds))
    with_ = f"with {' and '.join(change.what for change in changes)} " if changes else ""
    sentence = f"{' and '.join(kinds)}: {with_}{found.matched} of {found.reference_trades} trades match"
    if found.extra:
        sentence += f", {found.extra} extra"
    return Cause(tuple(kinds), "; ".join([sentence, *notes]), found.matched, found.reference_trades)


def _better(best: _Try, engine: Engine) -> _Try | None:
    """The best of all single changes on top of what is there, None when none gives more."""
    found: _Try | None = None
    for change in _alternatives(best.result, [made.kind for made in best.changes]):
        other = _tried(best.result.prepared, (*best.changes, change), engine, last_only=True)
        if other is None or other.score <= best.score or (found is not None and other.score <= found.score):
            continue
        found = other
        if other.result.comparison.parity == 1.0:
            break
    return found


def _needed(best: _Try, first: CaseResult, engine: Engine) -> _Try:
    """Without the changes that explain no trade which the others do not explain."""
    kept = best
    for change in best.changes:
        without = tuple(one for one in kept.changes if one is not change)
        other = _tried(first.prepared, without, engine)
        if other is None:
            continue
        explained = other.unmatched - kept.unmatched
        if explained < max(1.0, _LEAST_SHARE * other.unmatched):
            kept = other
    return kept


def _tried(
    prepared: Prepared, changes: tuple[_Change, ...], engine: Engine, *, last_only: bool = False
) -> _Try | None:
    """The case with these changes, None where it cannot be run; with `last_only` the others are in it."""
    try:
        for change in changes[-1:] if last_only else changes:
            prepared = change.apply(prepared)
        if len(bars_of(prepared.case, prepared.history)) < 2:
            return None
        return _Try(changes, run_case(prepared, "", engine))
    except ConfigError:
        return None


def _unknown(result: CaseResult, divergence: Divergence) -> str:
    is_extra = divergence.pair.listed is None
    if is_extra and divergence.time_ns >= max(t.entry_time_ns for t in result.prepared.listed):
        return "unknown: all listed entries match before it; the list may end earlier, give history_end"
    text = "unknown: no other zone, size, cost, capital, first bar, rule or bar tried here explains more"
    text += "; the strategy's own parameters are not tried and are the next thing to check"
    is_gappy = any("missing:" in note or "missing in" in note for note in result.prepared.notes)
    return f"{text}; bars are missing, see above" if is_gappy else text


def _alternatives(result: CaseResult, without: Collection[str]) -> Iterator[_Change]:
    """Single changes of all kinds but those, the commonest mistakes first."""
    if "time zone" not in without:
        yield from _zones(result)
    yield from (change for change in _settings(result) if change.kind not in without)
    if "history start" not in without:
        yield from _starts(result)
    if "rule" not in without:
        yield from _rules(result.case)
    if "data" not in without:
        yield from _bars(result)


def _settings(result: CaseResult) -> Iterator[_Change]:
    yield from _sizes(result)
    yield from _costs(result)
    for step in guesses.qty_steps(result.prepared.listed):
        if step != result.case.broker.qty_step:
            yield _broker("lot size", f"qty_step {step:g}", qty_step=step)
    on_close = not result.case.broker.process_orders_on_close
    yield _broker("rule", f"process_orders_on_close {on_close}", process_orders_on_close=on_close)


def _zones(result: CaseResult) -> Iterator[_Change]:
    for zone in guesses.zones(result):
        if isinstance(zone, ZoneInfo):
            what, changes = f"time_zone {zone.key}", {"time_zone": zone.key, "utc_offset_hours": 0.0}
        else:
            hours = (zone.utcoffset(None) or timedelta()) / timedelta(hours=1)
            what, changes = f"utc_offset_hours {hours:g}", {"time_zone": None, "utc_offset_hours": hours}
        yield _Change("time zone", what, partial(_in_zone, zone=zone, changes=changes))


def _in_zone(prepared: Prepared, *, zone: tzinfo, changes: dict[str, object]) -> Prepared:
    listed = tuple(restamped(one, zone) for one in prepared.listed)
    return replace(_changed(prepared, **changes), listed=listed)


def _sizes(result: CaseResult) -> Iterator[_Change]:
    given = result.case.broker.sizing
    names = {"qty": "fixed", "cash": "cash", "percent_of_equity": "percent_of_equity"}
    for name, value in guesses.sizes(result):
        if (names[name], value) != (given.kind, given.value):
            sizes: dict[str, object] = {**dict.fromkeys(SIZES), name: value}
            yield _broker("sizing", f"{name} {value:.10g}", **sizes)


def _costs(result: CaseResult) -> Iterator[_Change]:
    broker, listed = result.case.broker, result.prepared.listed
    for name, value in guesses.commissions(listed, broker.point_value):
        costs: dict[str, object] = {**dict.fromkeys(_COMMISSIONS, 0.0), name: value}
        if costs != {other: getattr(broker, other) for other in _COMMISSIONS}:
            yield _broker("costs", f"{name} {value:.10g}", **costs)
    for ticks in guesses.slippages(result):
        if ticks != broker.slippage_ticks:
            yield _broker("slippage", f"slippage_ticks {ticks}", slippage_ticks=ticks)
    for value in guesses.point_values(listed):
        if abs(value - broker.point_value) > 0.1 * broker.point_value:  # commission moves it a little
            yield _broker("point value", f"point_value {value:.10g}", point_value=value)
    for capital in guesses.capitals(listed):
        if capital != broker.initial_capital:
            yield _broker("capital", f"initial_capital {capital:.10g}", initial_capital=capital)


def _starts(result: CaseResult) -> Iterator[_Change]:
    case, history = result.case, result.prepared.history
    first = int(result.plan.bars.open_time_ns[0])
    entry = min(t.entry_time_ns for t in result.prepared.listed)
    begin = datetime.fromtimestamp(entry // _SECOND_NS, UTC)
    month = begin.replace(day=1, hour=0, minute=0, second=0)
    zone = int(case.utc_offset_hours * _HOUR_NS)
    starts = [first + hours * _HOUR_NS for hours in _START_SHIFTS_HOURS]
    for day in (month.replace(month=1), month, (month - timedelta(days=1)).replace(day=1)):
        midnight = int(day.timestamp()) * _SECOND_NS
        starts += [midnight, midnight - zone, midnight - 24 * _HOUR_NS]
    starts.append(entry - 300 * history.timeframe_ns)
    starts.append(int(history.open_time_ns[0]))
    for start in dict.fromkeys(starts):
        if start != first and start >= history.open_time_ns[0]:
            moment = datetime.fromtimestamp(start // _SECOND_NS, UTC)
            what = f"history_start {stamp(start)}"
            yield _Change("history start", what, partial(_changed, history_start=moment))


def _rules(case: Case) -> Iterator[_Change]:
    strategy = build_strategy(case)
    if not isinstance(strategy, SignalStrategy):
        return
    given = strategy.params.model_dump()
    for name, choices in _CHOICES.items():
        for choice in choices:
            if name in given and given[name] != choice:
                yield _rule(f"{name} {choice}", {name: choice})
    counted = {"entry_bar", "max_holding_strict"} <= given.keys()  # a person's own strategy has neither
    for entry_bar in _CHOICES["entry_bar"] if counted else ():
        if entry_bar != given["entry_bar"]:
            strict = not given["max_holding_strict"]
            changes = {"entry_bar": entry_bar, "max_holding_strict": strict}
            yield _rule(f"entry_bar {entry_bar} and max_holding_strict {strict}", changes)
    if given.get("max_holding_bars") is not None:
        for more in (-1, 1):
            bars = int(given["max_holding_bars"]) + more
            if bars >= 0:
                yield _rule(f"max_holding_bars {bars}", {"max_holding_bars": bars})


def _bars(result: CaseResult) -> Iterator[_Change]:
    """The prices at which market orders of the list filled, in the place of ours."""
    differing = guesses.differing_opens(result)
    if not differing:
        return
    on_close = result.plan.settings.timing == "bar_close"
    index, price, pair = differing[0]
    bars = result.plan.bars
    ours = (bars.close if on_close else bars.open)[index]
    assert pair.listed is not None
    when = stamp(int(bars.open_time_ns[index]), result.zone)
    note = f"trade {pair.listed.number} fills at {price:.10g} on {when}, our bar fills at {ours:.10g}"
    prices = {int(bars.open_time_ns[i]): theirs for i, theirs, _ in differing}
    bars_differ = "1 price" if len(prices) == 1 else f"{len(prices)} prices"
    apply = partial(_with_prices, prices=prices, on_close=on_close)
    yield _Change("data", f"{bars_differ} of the list in the bars", apply, note)


def _with_prices(prepared: Prepared, *, prices: dict[int, float], on_close: bool) -> Prepared:
    history = prepared.history
    at = np.searchsorted(history.open_time_ns, list(prices))
    theirs = np.array(list(prices.values()))
    name = "close" if on_close else "open"
    changed = {key: getattr(history, key).copy() for key in (name, "high", "low")}
    changed[name][at] = theirs
    changed["high"][at] = np.maximum(changed["high"][at], theirs)
    changed["low"][at] = np.minimum(changed["low"][at], theirs)
    return replace(prepared, history=replace(history, **changed))


def _rule(what: str, params: dict[str, object]) -> _Change:
    return _Change(
        "rule",
        what,
        lambda prepared: _changed(prepared, params={**prepared.case.params, **params}),
    )


def _broker(kind: str, what: str, **changes: object) -> _Change:
    return _Change(
        kind,
        what,
        lambda prepared: _changed(prepared, broker=prepared.case.broker.model_copy(update=changes)),
    )


def _changed(prepared: Prepared, **changes: object) -> Prepared:
    return replace(prepared, case=prepared.case.model_copy(update=changes))
