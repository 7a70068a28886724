"""Compares a generated trade list with one that TradingView exported, cell by cell.

Times, prices, quantities, sides and texts must be equal. Money and percents are compared as printed; one
unit of the last printed digit is equal too, but counted ("rounding cell").
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from engine.backtest.trades import Trade
from engine.backtest.tv_export import MONEY_COLUMNS, ListedTrade, printed_money, printed_percent

Verdict = Literal["equal", "rounding", "different"]
EXACT_COLUMNS = (
    "entry_time",
    "entry_price",
    "entry_signal",
    "exit_time",
    "exit_price",
    "exit_signal",
    "direction",
    "qty",
)
_ENTRY_COLUMNS = ("entry_time", "entry_price", "direction", "qty")


@dataclass(frozen=True, slots=True)
class Pair:
    """A listed trade and the generated one that belongs to it; one of them may be missing.

    `verdicts` has the verdict of each column that was compared.
    """

    listed: ListedTrade | None
    generated: Trade | None
    verdicts: dict[str, Verdict]

    @property
    def is_match(self) -> bool:
        """Both are there and no column differs."""
        both = self.listed is not None and self.generated is not None
        return both and "different" not in self.verdicts.values()

    @property
    def time_ns(self) -> int:
        """Entry time, of the listed trade if there is one."""
        trade = self.listed or self.generated
        assert trade is not None
        return trade.entry_time_ns


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs by entry time, and what they come to."""

    pairs: tuple[Pair, ...]
    reference_trades: int
    generated_trades: int

    @property
    def matched(self) -> int:
        """Pairs without a difference."""
        return sum(pair.is_match for pair in self.pairs)

    @property
    def parity(self) -> float:
        """Matched trades over the longer list; 1 only when nothing is missing and nothing extra."""
        longest = max(self.reference_trades, self.generated_trades)
        return self.matched / longest if longest else 1.0

    @property
    def rounding_cells(self) -> int:
        """Cells that are one unit of the last printed digit apart."""
        return sum(verdict == "rounding" for pair in self.pairs for verdict in pair.verdicts.values())

    @property
    def columns(self) -> dict[str, float]:
        """Share of the listed trades whose cell is equal, by column."""
        compared: dict[str, int] = defaultdict(int)
        equal: dict[str, int] = defaultdict(int)
        for pair in self.pairs:
            if pair.listed is None:
                continue
            names = pair.verdicts or _names(pair.listed)
            for name in names:
                compared[name] += 1
                equal[name] += pair.verdicts.get(name, "different") != "different"
        return {name: equal[name] / count for name, count in compared.items()}

    @property
    def missing(self) -> int:
        """Listed trades that were not generated."""
        return sum(pair.generated is None for pair in self.pairs)

    @property
    def extra(self) -> int:
        """Generated trades that are not listed."""
        return sum(pair.listed is None for pair in self.pairs)

    @property
    def first_divergence(self) -> Pair | None:
        """The earliest pair that is no match."""
        return next((pair for pair in self.pairs if not pair.is_match), None)


def compare(
    listed: Sequence[ListedTrade],
    generated: Sequence[Trade],
    *,
    commission_percent: float,
    initial_capital: float,
    point_value: float = 1.0,
    end_ns: int | None = None,
) -> Comparison:
    """Pair the two lists and compare each pair; a missing or extra trade disturbs no other.

    Pairs have the same entry time and side, of several the one that agrees in most columns; of what is
    left over those that leave at the same time. Generated trades that begin after `end_ns` (default: the
    last stamp of the list, because a list has every trade up to its own end) are not extra. Cumulative
    columns are sums over the generated list that, after a trade on which the lists differ, go on from
    the listed sum, so that one difference is not reported on every later row.
    """
    end = max((max(t.entry_time_ns, t.exit_time_ns) for t in listed), default=0) if end_ns is None else end_ns
    inside = [trade for trade in generated if trade.entry_time_ns <= end]
    partner = _partners(listed, inside)
    printed = _Printer(inside, commission_percent, initial_capital, point_value)
    pairs = []
    taken = {id(trade) for trade in partner if trade is not None}
    for reference, trade in zip(listed, partner, strict=True):
        if trade is None:
            pairs.append(Pair(reference, None, {}))
            printed.go_on_from(reference)
            continue
        pair = Pair(reference, trade, _verdicts(reference, trade, printed.row(trade)))
        pairs.append(pair)
        if not pair.is_match:
            printed.go_on_from(reference)
    pairs += [Pair(None, trade, {}) for trade in inside if id(trade) not in taken]
    pairs.sort(key=lambda pair: pair.time_ns)
    return Comparison(tuple(pairs), len(listed), len(inside))


def _partners(listed: Sequence[ListedTrade], generated: Sequence[Trade]) -> list[Trade | None]:
    """For each listed trade the generated one that belongs to it."""
    partner: list[Trade | None] = [None] * len(listed)
    free = dict.fromkeys(range(len(generated)))
    for stamp in ("entry_time_ns", "exit_time_ns"):
        waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
        for k in free:
            waiting[getattr(generated[k], stamp), generated[k].direction].append(k)
        for i, reference in enumerate(listed):
            candidates = waiting[getattr(reference, stamp), reference.direction]
            if partner[i] is not None or not candidates or (stamp == "exit_time_ns" and reference.is_open):
                continue
            best = max(candidates, key=lambda k: _agreement(reference, generated[k]))
            candidates.remove(best)
            partner[i] = generated[best]
            del free[best]
    return partner


def _agreement(listed: ListedTrade, trade: Trade) -> int:
    return sum(_is_equal(name, listed, trade) for name in _names(listed) if name not in MONEY_COLUMNS)


def _names(listed: ListedTrade) -> tuple[str, ...]:
    if listed.is_open:
        return _ENTRY_COLUMNS
    return EXACT_COLUMNS + tuple(name for name in MONEY_COLUMNS if name in listed.money)


def _verdicts(listed: ListedTrade, trade: Trade, money: dict[str, Decimal]) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    for name in _names(listed):
        if name == "value":
            verdicts[name] = _printed_verdict(_six_places(listed.money[name]), _six_places(money[name]))
        elif name in MONEY_COLUMNS:
            verdicts[name] = _printed_verdict(listed.money[name], money[name])
        else:
            verdicts[name] = "equal" if _is_equal(name, listed, trade) else "different"
    return verdicts


def _is_equal(name: str, listed: ListedTrade, trade: Trade) -> bool:
    if name.startswith("exit") and trade.exit_bar < 0:
        return False
    if name in {"entry_price", "exit_price", "qty"}:
        return bool(_number(getattr(trade, name)) == getattr(listed, name))
    key = f"{name}_ns" if name.endswith("time") else name
    return bool(getattr(trade, key) == getattr(listed, key))


def _number(value: float) -> Decimal:
    """The decimal a grid price or quantity stands for."""
    return Decimal(repr(value)).quantize(Decimal("1e-8"), ROUND_HALF_UP).normalize()


def _six_places(value: Decimal) -> Decimal:
    """Older exports print the value with all digits of the double, newer ones with six decimals."""
    return value.quantize(Decimal("1e-6"), ROUND_HALF_UP)


def _printed_verdict(theirs: Decimal, ours: Decimal) -> Verdict:
    if theirs == ours:
        return "equal"
    places = max(_places(theirs), _places(ours))
    return "rounding" if abs(theirs - ours) <= Decimal(1).scaleb(-places) else "different"


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(2, -exponent)


class _Printer:
    """Prints generated trades as TradingView would, keeping the running sum of profits."""

    def __init__(
        self, trades: Sequence[Trade], commission_percent: float, initial_capital: float, point_value: float
    ) -> None:
        self._paid_ahead = _paid_ahead(trades)
        self._rate = commission_percent / 100.0
        self._capital = initial_capital
        self._point_value = point_value
        self._sum = 0.0

    def row(self, trade: Trade) -> dict[str, Decimal]:
        value = trade.qty * trade.entry_price * self._point_value
        base = value * (1.0 + self._rate)
        self._sum += trade.pnl
        return dict(self._cells(trade, value, base, self._sum - self._paid_ahead[id(trade)]))

    def go_on_from(self, listed: ListedTrade) -> None:
        """After a difference: take the listed sum as ours."""
        cumulative = listed.money.get("cumulative")
        if cumulative is not None:
            self._sum = float(cumulative)

    def _cells(
        self, trade: Trade, value: float, base: float, cumulative: float
    ) -> Iterator[tuple[str, Decimal]]:
        yield "value", Decimal(repr(value))
        for name, amount in (("pnl", trade.pnl), ("run_up", trade.run_up), ("drawdown", trade.drawdown)):
            yield name, printed_money(amount)
            yield f"{name}_percent", printed_percent(amount / base * 100.0)
        yield "cumulative", printed_money(cumulative)
        yield "cumulative_percent", printed_percent(cumulative / self._capital * 100.0)


def _paid_ahead(trades: Sequence[Trade]) -> dict[int, float]:
    """Entry commissions that other trades had paid by the time each one closed, by the trade's identity.

    The cumulative column is the net profit of that moment, and an entry pays when it fills.
    """
    entered = sorted(range(len(trades)), key=lambda k: trades[k].entry_bar)
    held: dict[int, float] = {}
    ahead = {}
    closed: set[int] = set()
    next_entry = 0
    for k, trade in enumerate(trades):
        while next_entry < len(entered) and trades[entered[next_entry]].entry_bar < trade.exit_bar:
            other = entered[next_entry]
            next_entry += 1
            if other not in closed:
                held[other] = trades[other].entry_commission
        held.pop(k, None)
        closed.add(k)
        before = 0.0
        for commission in held.values():
            before += commission
        ahead[id(trade)] = before
    return ahead
