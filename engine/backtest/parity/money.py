"""The money columns of a trade list: ours printed as the list prints its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Self

from engine.backtest.parity.tv_export import (
    MONEY_COLUMNS,
    ListedTrade,
    printed_money,
    printed_percent,
    single,
)
from engine.model.trades import Trade

Verdict = Literal["equal", "rounding", "different"]

_USUAL_PLACES = 2
_MOST_PLACES = 8
_MOST_VALUE_PLACES = 6
_TIE = 1.0 + 1e-9
_FLOAT_NOISE = 1e-14


@dataclass(frozen=True, slots=True)
class MoneyColumns:
    """How many decimals each money column of a list has: `places` by column.

    Two where TradingView prints by its own rule (`printed_money`), more where an amount that does not need
    them shows more.
    """

    places: Mapping[str, int]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Decimal]]) -> Self:
        """The places of the columns of these rows."""
        found = dict.fromkeys(MONEY_COLUMNS, _USUAL_PLACES)
        for row in rows:
            for name, cell in row.items():
                places = _places(cell)
                if places > found[name] and (name == "value" or abs(cell) > Decimal("0.005")):
                    found[name] = places
        most = {name: _MOST_VALUE_PLACES if name == "value" else _MOST_PLACES for name in found}
        return cls({name: min(places, most[name]) for name, places in found.items()})

    def verdict(self, name: str, theirs: Decimal, ours: float, *, is_loose: bool = False) -> Verdict:
        """Whether the list could have printed `theirs` for our amount.

        `is_loose` allows one unit of the last digit: our amount goes on from a printed one.
        """
        places = self.places[name]
        if places == _USUAL_PLACES and theirs == _printed(name, ours):
            return "equal"
        places = max(places, min(_places(theirs), _MOST_PLACES)) if name != "value" else places
        unit = 10.0**-places
        noise = _FLOAT_NOISE * abs(ours)
        away = min(abs(float(theirs) - ours), abs(float(theirs) - single(ours)))
        if away <= (1.0 if is_loose else 0.5) * unit * _TIE + noise and not self._is_hidden(
            name, theirs, ours
        ):
            return "equal"
        return "rounding" if away <= 1.5 * unit * _TIE + noise else "different"

    def _is_hidden(self, name: str, theirs: Decimal, ours: float) -> bool:
        """A printed 0 for an amount of which the list would show a later digit."""
        by_rule = self.places[name] == _USUAL_PLACES and name in {"pnl", "run_up", "drawdown", "cumulative"}
        return by_rule and not theirs and printed_money(ours) != 0


class Printer:
    """The amounts of generated trades in list order, with the running sum of profits.

    The value column leaves the point value out; percents are of the value with it and the entry commission.
    """

    def __init__(
        self, trades: Sequence[Trade], commission_percent: float, initial_capital: float, point_value: float
    ) -> None:
        self._paid_ahead = _paid_ahead(trades)
        self._rate = commission_percent / 100.0
        self._capital = initial_capital
        self._point_value = point_value
        self._sum = 0.0
        self.went_on = False

    def row(self, trade: Trade) -> dict[str, float]:
        """Our amount of each money column."""
        value = trade.qty * trade.entry_price
        base = value * self._point_value * (1.0 + self._rate)
        self._sum += trade.pnl
        return dict(self._cells(trade, value, base, self._sum - self._paid_ahead[id(trade)]))

    def go_on_from(self, listed: ListedTrade) -> None:
        """After a difference: take the listed sum as ours; it is known to its printed digits only."""
        cumulative = listed.money.get("cumulative")
        if cumulative is not None:
            self._sum = float(cumulative)
            self.went_on = True

    def _cells(
        self, trade: Trade, value: float, base: float, cumulative: float
    ) -> Iterator[tuple[str, float]]:
        yield "value", value
        for name, amount in (("pnl", trade.pnl), ("run_up", trade.run_up), ("drawdown", trade.drawdown)):
            yield name, amount
            yield f"{name}_percent", amount / base * 100.0
        yield "cumulative", cumulative
        yield "cumulative_percent", cumulative / self._capital * 100.0


def _printed(name: str, ours: float) -> Decimal:
    return printed_percent(ours) if name.endswith("_percent") else printed_money(ours)


def _places(cell: Decimal) -> int:
    exponent = cell.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


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
