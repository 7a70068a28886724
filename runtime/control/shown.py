"""Formatting of numbers for people: prices to the tick, quantities exact, money to four decimals."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from runtime.control.status import CandleStatus, EngineStatus

MONEY_DECIMALS = (2, 4)
"""Least and most decimals."""
SIGNIFICANT_DIGITS = 12
"""Digits of a price whose tick is not known."""

ShowPrice = Callable[[str, Decimal | float], str]
"""A price of a symbol as text."""


def money(text: str | None) -> str | None:
    """An amount with two to four decimals; None stays None."""
    if text is None:
        return None
    least, most = MONEY_DECIMALS
    shown = f"{_without_sign_of_zero(round(Decimal(text), most)):.{most}f}"
    return shown[: len(shown) - most + least] + shown[len(shown) - most + least :].rstrip("0")


def price(value: str | Decimal | float, tick_size: str | Decimal | None, *, grouped: bool = False) -> str:
    """A price with the decimals of its tick, or up to 12 digits if the tick is not known.

    `grouped`: with commas between thousands.
    """
    exact = Decimal(str(value))
    comma = "," if grouped else ""
    decimals = decimals_of(tick_size)
    if decimals is None:
        return f"{Decimal(digits(value)):{comma}f}"
    return f"{_without_sign_of_zero(round(exact, decimals)):{comma}.{decimals}f}"


def decimals_of(tick_size: str | Decimal | None) -> int | None:
    """Decimals of a tick: 1 for "0.10", 0 for "1"; None if it is not known."""
    if tick_size is None:
        return None
    exponent = Decimal(tick_size).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else None


def digits(value: str | Decimal | float) -> str:
    """A number with at most 12 digits, no exponent, no trailing zeros."""
    return quantity(f"{Decimal(str(value)):.{SIGNIFICANT_DIGITS}g}")


def as_it_is(symbol: str, value: Decimal | float) -> str:  # noqa: ARG001  # a ShowPrice
    """A price whose tick is not known."""
    return price(value, None)


def quantity(text: str) -> str:
    """Digits and a point, no exponent, no trailing zeros."""
    shown = f"{Decimal(text):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def counted(count: int, singular: str, plural: str = "") -> str:
    """ "1 order", "2 orders"."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def readable(status: EngineStatus) -> EngineStatus:
    """The status with every number formatted for people; for display, not for computing."""
    ticks = status.tick_sizes
    positions = tuple(
        msgspec.structs.replace(
            one,
            qty_base=quantity(one.qty_base),
            entry_price=price(one.entry_price, ticks.get(one.symbol)),
            mark_price=None if one.mark_price is None else price(one.mark_price, ticks.get(one.symbol)),
            unrealised_pnl=money(one.unrealised_pnl),
        )
        for one in status.positions
    )
    orders = tuple(
        msgspec.structs.replace(
            one,
            qty_base=quantity(one.qty_base),
            filled_base=quantity(one.filled_base),
            price=None if one.price is None else price(one.price, ticks.get(one.symbol)),
            trigger_price=(
                None if one.trigger_price is None else price(one.trigger_price, ticks.get(one.symbol))
            ),
        )
        for one in status.open_orders
    )
    strategies = tuple(
        msgspec.structs.replace(
            one,
            qty_base=quantity(one.qty_base),
            stop_price=None if one.stop_price is None else price(one.stop_price, ticks.get(one.symbol)),
        )
        for one in status.strategies
    )
    return msgspec.structs.replace(
        status,
        positions=positions,
        strategies=strategies,
        open_orders=orders,
        last_candles=tuple(_rounded_candle(one, ticks) for one in status.last_candles),
        last_prices=_rounded(status.last_prices, ticks),
        realised_pnl=money(status.realised_pnl),
        unrealised_pnl=money(status.unrealised_pnl),
        fees=money(status.fees),
        wallet_balance=money(status.wallet_balance),
    )


def _rounded(prices: Mapping[str, float], ticks: Mapping[str, str]) -> dict[str, float]:
    return {symbol: _rounded_price(value, ticks.get(symbol)) for symbol, value in prices.items()}


def _rounded_price(value: float, tick_size: str | None) -> float:
    return float(price(value, tick_size))


def _rounded_candle(candle: CandleStatus, ticks: Mapping[str, str]) -> CandleStatus:
    tick = ticks.get(candle.symbol)
    prices = {name: _rounded_price(getattr(candle, name), tick) for name in ("open", "high", "low", "close")}
    return msgspec.structs.replace(candle, **prices)


def _without_sign_of_zero(value: Decimal) -> Decimal:
    return abs(value) if value == 0 else value
