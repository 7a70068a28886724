"""Compares a generated trade list with one that TradingView exported, cell by cell.

Times, prices, quantities, sides and texts must be equal. Money and percents must be what the list would
print of ours with its own number of decimals; a cell that is one unit of the last one apart differs, and is
counted too ("rounding cell").
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from engine.backtest.parity.money import MoneyColumns, Printer, Verdict
from engine.backtest.parity.tv_export import MONEY_COLUMNS, ListedTrade
from engine.model.trades import Trade

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
_ENTRY_COLUMNS = ("entry_time", "entry_price", "entry_signal", "direction", "qty")
_FLOAT_NOISE = 1e-11
"""Of a number that went through a few operations; far below half a tick of any price."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A listed trade and the generated one that belongs to it; one of them may be missing.

    `verdicts` has the verdict of each column that was compared, `amounts` our unrounded money columns.
    """

    listed: ListedTrade | None
    generated: Trade | None
    verdicts: dict[str, Verdict]
    amounts: dict[str, float] = field(default_factory=dict)

    @property
    def is_match(self) -> bool:
        """Both are there and no column differs."""
        both = self.listed is not None and self.generated is not None
        return both and all(verdict == "equal" for verdict in self.verdicts.values())

    @property
    def time_ns(self) -> int:
        """Entry time, of the listed trade if there is one."""
        trade = self.listed or self.generated
        assert trade is not None
        return trade.entry_time_ns


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs by entry time, with their totals."""

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
        """Cells that differ by one unit of the last printed digit only."""
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
                equal[name] += pair.verdicts.get(name) == "equal"
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
    def differing(self) -> int:
        """Trades that both lists have, with a difference."""
        return len(self.pairs) - self.matched - self.missing - self.extra

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
    bar_ns: int = 0,
) -> Comparison:
    """Pair the two lists and compare each pair; a missing or extra trade disturbs no other.

    Pairs have the same entry time and side, of several the one that agrees in most columns; of what is
    left over those that leave at the same time. Generated trades that begin after `end_ns` (default: the
    last stamp of the list, because a list has every trade up to its own end) are not extra. Cumulative
    columns are sums over the generated list that, after a trade on which the lists differ, go on from
    the listed sum, so that one difference is not reported on every later row. `bar_ns` is the length of a
    bar: an exit inside the bar of the export may be later than the export.
    """
    moments = (moment for t in listed for moment in (*t.entry_times_ns, *t.exit_times_ns))
    end = max(moments, default=0) if end_ns is None else end_ns
    inside = [trade for trade in generated if trade.entry_time_ns <= end]
    partner = _partners(listed, inside)
    printed = Printer(inside, commission_percent, initial_capital, point_value)
    columns = MoneyColumns.of(one.money for one in listed)
    pairs = []
    taken = {id(trade) for trade in partner if trade is not None}
    for printed_trade, trade in zip(listed, partner, strict=True):
        if trade is None:
            pairs.append(Pair(printed_trade, None, {}))
            printed.go_on_from(printed_trade)
            continue
        reference = _at_moments_of(printed_trade, trade)
        verdicts = _verdicts(reference, trade)
        money = printed.row(trade)
        if reference.is_open and _left_before_the_end(reference, trade, bar_ns):
            verdicts["exit_time"] = "different"
        for name in () if reference.is_open else _listed_money(reference):
            is_loose = printed.went_on and name.startswith("cumulative")
            verdicts[name] = columns.verdict(name, reference.money[name], money[name], is_loose=is_loose)
        pair = Pair(reference, trade, verdicts, money)
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
    for stamp in ("entry_time", "exit_time"):
        waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
        for k in free:
            waiting[getattr(generated[k], f"{stamp}_ns"), generated[k].direction].append(k)
        for i, reference in enumerate(listed):
            if partner[i] is not None or (stamp == "exit_time" and reference.is_open):
                continue
            moments = getattr(reference, f"{stamp}s_ns")
            queues = [waiting[moment, reference.direction] for moment in moments]
            candidates = [k for queue in queues for k in queue]
            if not candidates:
                continue
            best = max(candidates, key=lambda k: _agreement(reference, generated[k]))
            next(queue for queue in queues if best in queue).remove(best)
            partner[i] = generated[best]
            del free[best]
    return partner


def _at_moments_of(listed: ListedTrade, trade: Trade) -> ListedTrade:
    """The listed trade with what its row leaves open settled by the generated one, where that fits.

    That is the moment of a clock time that came twice, and whether an exit at the end of the list that is
    called "Open" is an order of that name.
    """
    entry, left = listed.entry_time_ns, listed.exit_time_ns
    if trade.entry_time_ns == listed.entry_again_ns:
        entry = trade.entry_time_ns
    if trade.exit_time_ns == listed.exit_again_ns:
        left = trade.exit_time_ns
    closed = (trade.exit_signal, trade.exit_time_ns) == (listed.exit_signal, left) and trade.exit_bar >= 0
    is_open = listed.is_open and not closed
    if (entry, left, is_open) == (listed.entry_time_ns, listed.exit_time_ns, listed.is_open):
        return listed
    return replace(listed, entry_time_ns=entry, exit_time_ns=left, is_open=is_open)


def _left_before_the_end(listed: ListedTrade, trade: Trade, bar_ns: int) -> bool:
    """Whether the generated trade left at a time at which the list says that it was open."""
    export = max(listed.exit_times_ns)
    is_later_in_its_bar = trade.exit_time_ns < export < trade.exit_time_ns + bar_ns
    return trade.exit_bar >= 0 and trade.exit_time_ns <= export and not is_later_in_its_bar


def _agreement(listed: ListedTrade, trade: Trade) -> int:
    return sum(_is_equal(name, listed, trade) for name in _exact_names(listed))


def _exact_names(listed: ListedTrade) -> tuple[str, ...]:
    return _ENTRY_COLUMNS if listed.is_open else EXACT_COLUMNS


def _names(listed: ListedTrade) -> Iterable[str]:
    if listed.is_open:
        return _ENTRY_COLUMNS
    return EXACT_COLUMNS + _listed_money(listed)


def _listed_money(listed: ListedTrade) -> tuple[str, ...]:
    return tuple(name for name in MONEY_COLUMNS if name in listed.money)


def _verdicts(listed: ListedTrade, trade: Trade) -> dict[str, Verdict]:
    return {name: "equal" if _is_equal(name, listed, trade) else "different" for name in _exact_names(listed)}


def _is_equal(name: str, listed: ListedTrade, trade: Trade) -> bool:
    if name.startswith("exit") and trade.exit_bar < 0:
        return False
    if name in {"entry_price", "exit_price", "qty"}:
        return _is_same_number(getattr(listed, name), getattr(trade, name))
    if name.endswith("time"):
        return getattr(trade, f"{name}_ns") in getattr(listed, f"{name}s_ns")
    return bool(getattr(trade, name) == getattr(listed, name))


def _is_same_number(listed: Decimal, ours: float) -> bool:
    """Prices and quantities are printed in full, however many decimals they have."""
    theirs = float(listed)
    return abs(ours - theirs) <= _FLOAT_NOISE * abs(theirs)
