"""Infers the settings of a trade list from the list: size, costs, capital, grid and zone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from math import isfinite
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.backtest.data.price_grid import settled
from engine.backtest.parity.cases import CaseResult
from engine.backtest.parity.comparison import Pair
from engine.backtest.parity.tv_export import ListedTrade, restamped

_ZONES = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Toronto"),
    *("Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow", "Asia/Jerusalem", "Asia/Tehran"),
    *("Australia/Sydney", "Pacific/Auckland", "America/Santiago"),
)
"""Zones with changing clocks that charts are shown in; others are among the fixed offsets."""
_FEW = 0.01
"""Relative spread within which amounts are the same but for rounding to the quantity step."""
_PRINTED = 0.011
"""A profit is printed to the cent, and what is worked out of it is no nearer."""
_MOST_DIGITS = 4
_SECOND_NS = 1_000_000_000


def sizes(result: CaseResult) -> Iterator[tuple[str, float]]:
    """Kinds of sizing that the listed quantities fit, with their value."""
    listed = result.prepared.listed
    qty = np.array([float(t.qty) for t in listed])
    if np.ptp(qty) == 0.0:
        yield "qty", float(qty[0])
    bars, point_value = result.plan.bars, result.case.broker.point_value
    late = 0 if result.plan.settings.timing == "bar_close" else 1
    at = np.searchsorted(bars.open_time_ns, [t.entry_time_ns for t in listed]) - late
    value = qty * bars.close[np.clip(at, 0, len(bars) - 1)] * point_value
    if _is_one_amount(value):
        # Quantities are cut to the step, so the amount is a little above what was bought.
        yield from (("cash", amount) for amount in round_numbers(float(value.max())))
    capital = result.case.broker.initial_capital
    profit = [0.0, *(float(t.money.get("cumulative", 0)) for t in listed)]
    percent = (
        value * (1.0 + result.case.broker.commission_percent / 100.0) / (capital + np.array(profit[:-1]))
    )
    if _is_one_amount(percent):
        yield from (("percent_of_equity", p) for p in round_numbers(float(np.median(percent)) * 100.0))


def commissions(listed: Sequence[ListedTrade], point_value: float) -> Iterator[tuple[str, float]]:
    """Kinds of commission, with their value, that the differences of gross and net profit come to."""
    rows = []
    for one in listed:
        if one.is_open or "pnl" not in one.money:
            continue
        gross = one.direction * float(one.qty * (one.exit_price - one.entry_price)) * point_value
        traded = float(one.qty * (one.exit_price + one.entry_price)) * point_value
        rows.append((gross - float(one.money["pnl"]), traded, 2.0 * float(one.qty)))
    if not rows:
        return
    paid, traded, qty = np.array(rows).T
    percent = float(paid.sum() / traded.sum()) * 100.0
    yield from (("commission_percent", one) for one in round_numbers(percent) or [0.0])
    for name, per in (("cash_per_order", np.full(len(paid), 2.0)), ("cash_per_contract", qty)):
        each = float(paid.sum() / per.sum())
        if np.mean(np.abs(paid - each * per) <= _PRINTED) > 0.9:
            yield from ((name, one) for one in round_numbers(each))


def point_values(listed: Sequence[ListedTrade]) -> Iterator[float]:
    """Money that one unit of price makes of one unit, from the trades that moved most."""
    moves = [
        (float(one.qty * (one.exit_price - one.entry_price)) * one.direction, float(one.money["pnl"]))
        for one in listed
        if not one.is_open and "pnl" in one.money
    ]
    largest = sorted((move for move in moves if move[0]), key=lambda move: abs(move[0]))[-20:]
    if largest:
        yield from round_numbers(float(np.median([profit / moved for moved, profit in largest])))[:1]


def capitals(listed: Sequence[ListedTrade]) -> Iterator[float]:
    """The roundest initial capital with which the cumulative percents are what they are."""
    rows = [(one.money["cumulative"], one.money["cumulative_percent"]) for one in listed
            if not one.is_open and {"cumulative", "cumulative_percent"} <= one.money.keys()]  # fmt: skip
    bounds = [
        sorted(abs(float(total)) / (abs(float(percent)) + half) * 100.0 for half in (-0.005, 0.005))
        for total, percent in rows
        if abs(percent) > 0
    ]
    if bounds:
        low, high = max(low for low, _ in bounds), min(high for _, high in bounds)
        yield from [one for one in round_numbers((low + high) / 2) if low <= one <= high][:1]


def slippages(result: CaseResult) -> Iterator[int]:
    """Ticks by which most listed market entries are worse than the open (or close) they filled at."""
    ticks = [round(one) for one in _ticks_worse(result) if abs(one - round(one)) < 0.01]
    if ticks:
        usual, _ = Counter(ticks).most_common(1)[0]
        if usual >= 0:
            yield usual


def qty_steps(listed: Sequence[ListedTrade]) -> Iterator[float]:
    """The decimal step that the listed quantities use."""
    places = max(max(0, -int(one.qty.normalize().as_tuple().exponent)) for one in listed)
    yield float(f"1e-{places}")


def zones(result: CaseResult) -> Iterator[tzinfo]:
    """The zone in which most of the listed entries are generated ones, if it is another than the list's.

    A zone with changing clocks only where it fits more than every fixed offset.
    """
    listed, case = result.prepared.listed, result.case
    given = ZoneInfo(case.time_zone) if case.time_zone else timezone(timedelta(hours=case.utc_offset_hours))
    if any(one.zone != given for one in listed):
        return  # stamps that carry their own offset
    made = {(t.entry_time_ns, t.direction) for t in (*result.result.trades, *result.result.open_trades)}

    clocks = [(one.entry_time_ns + _offset_ns(one.zone, one.entry_time_ns), one.direction) for one in listed]

    def hits(zone: tzinfo) -> int:
        if isinstance(zone, timezone):
            offset = _offset_ns(zone, 0)
            return sum((clock - offset, direction) in made for clock, direction in clocks)
        moved = [restamped(one, zone) for one in listed]
        return sum(any((time, one.direction) in made for time in one.entry_times_ns) for one in moved)

    fixed = (timezone(timedelta(minutes=15 * quarter)) for quarter in range(-14 * 4, 14 * 4 + 1))
    candidates: list[tzinfo] = [given, *fixed, *map(ZoneInfo, _ZONES)]
    best = max(candidates, key=hits)  # the first of equals
    if best is not given:
        yield best


def differing_opens(result: CaseResult) -> list[tuple[int, float, Pair]]:
    """Bars whose open (or close) is not what market orders of the list filled at: index, price and pair."""
    found: dict[int, tuple[int, float, Pair]] = {}
    bars, settings = result.plan.bars, result.plan.settings
    prices = bars.close if settings.timing == "bar_close" else bars.open
    slip = settings.costs.slippage_ticks * _tick(result)
    for pair in result.comparison.pairs:
        listed, made = pair.listed, pair.generated
        if listed is None or made is None:
            continue
        for what, side in (("entry", made.direction), ("exit", -made.direction)):
            if pair.verdicts.get(f"{what}_time") != "equal" or pair.verdicts.get(f"{what}_price") == "equal":
                continue
            i = int(getattr(made, f"{what}_bar"))
            theirs = float(getattr(listed, f"{what}_price"))
            is_at_open = abs(getattr(made, f"{what}_price") - prices[i] - side * slip) < _tick(result) / 2
            if is_at_open and isfinite(theirs):
                found.setdefault(i, (i, theirs - side * slip, pair))
    return list(found.values())


def impossible_fills(result: CaseResult) -> list[tuple[ListedTrade, str]]:
    """Unmatched listed trades of which a fill lies outside our bars, and in words where."""
    bars, costs = result.plan.bars, result.plan.settings.costs
    found = []
    for pair in result.comparison.pairs:
        one = pair.listed
        if one is None or pair.is_match:
            continue
        for what in ("entry",) if one.is_open else ("entry", "exit"):
            price, time_ns = float(getattr(one, f"{what}_price")), getattr(one, f"{what}_time_ns")
            i = int(np.searchsorted(bars.open_time_ns, time_ns))
            if i >= len(bars) or bars.open_time_ns[i] != time_ns:
                found.append((one, "where there is no bar"))
                break
            room = (costs.slippage_ticks + 0.5) * _tick(result) + costs.slippage_bps / 1e4 * price
            if not bars.low[i] - room <= price <= bars.high[i] + room:
                found.append((one, f"our bar goes from {bars.low[i]:.10g} to {bars.high[i]:.10g}"))
                break
    return found


def round_numbers(value: float) -> list[float]:
    """`value` with one to four digits, the roundest first, each only where it is within 2 %."""
    if not isfinite(value) or value <= 0.0:
        return []
    rounded = [float(f"{value:.{digits}e}") for digits in range(_MOST_DIGITS)]
    return list(dict.fromkeys(one for one in rounded if abs(one - value) <= 0.02 * value))


def _ticks_worse(result: CaseResult) -> Iterator[float]:
    bars, tick = result.plan.bars, _tick(result)
    prices = bars.close if result.plan.settings.timing == "bar_close" else bars.open
    for pair in result.comparison.pairs:
        if pair.listed is None or pair.generated is None or pair.verdicts.get("entry_time") != "equal":
            continue
        yield (
            pair.listed.direction * (float(pair.listed.entry_price) - prices[pair.generated.entry_bar]) / tick
        )


def _offset_ns(zone: tzinfo, time_ns: int) -> int:
    offset = zone.utcoffset(datetime.fromtimestamp(time_ns // _SECOND_NS, zone)) or timedelta()
    return round(offset / timedelta(seconds=1)) * _SECOND_NS


def _tick(result: CaseResult) -> float:
    return settled(result.plan.settings, result.plan.bars).market.tick


def _is_one_amount(values: NDArray[np.float64]) -> bool:
    low, middle, high = np.percentile(values, (10, 50, 90))
    return bool(middle > 0 and high - low <= _FEW * middle)
