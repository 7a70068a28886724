"""How numbers are shown to a person: prices to the tick, quantities as they are, money to four decimals."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from settings.status import CandleStatus, EngineStatus

MONEY_DECIMALS = (2, 4)
"""At least and at most."""
UNKNOWN_TICK_DECIMALS = 2


def money(text: str | None) -> str | None:
    """An amount with two to four decimals; None stays None."""
    if text is None:
        return None
    least, most = MONEY_DECIMALS
    shown = f"{_without_sign_of_zero(round(Decimal(text), most)):.{most}f}"
    return shown[: len(shown) - most + least] + shown[len(shown) - most + least :].rstrip("0")


def price(value: str | float, tick_size: str | None) -> str:
    """A price with the decimals of its tick; two where the tick is not known."""
    return f"{Decimal(str(value)):.{decimals_of(tick_size)}f}"


def decimals_of(tick_size: str | None) -> int:
    """Decimals of a tick: 1 for "0.10", 0 for "1"."""
    if tick_size is None:
        return UNKNOWN_TICK_DECIMALS
    exponent = Decimal(tick_size).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else UNKNOWN_TICK_DECIMALS


def quantity(text: str) -> str:
    """Digits and a point, no exponent, no zeros at the end."""
    shown = f"{Decimal(text):f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def counted(count: int, singular: str, plural: str = "") -> str:
    """ "1 order", "2 orders"."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def readable(status: EngineStatus) -> EngineStatus:
    """The status with every number as a person reads it; for showing, not for computing."""
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
        )
        for one in status.open_orders
    )
    return msgspec.structs.replace(
        status,
        positions=positions,
        open_orders=orders,
        last_candles=tuple(_rounded_candle(one, ticks) for one in status.last_candles),
        last_prices=_rounded(status.last_prices, ticks),
        realised_pnl=money(status.realised_pnl),
        unrealised_pnl=money(status.unrealised_pnl),
        fees=money(status.fees),
        wallet_balance=money(status.wallet_balance),
    )


def _rounded(prices: Mapping[str, float], ticks: Mapping[str, str]) -> dict[str, float]:
    return {symbol: round(value, decimals_of(ticks.get(symbol))) for symbol, value in prices.items()}


def _rounded_candle(candle: CandleStatus, ticks: Mapping[str, str]) -> CandleStatus:
    digits = decimals_of(ticks.get(candle.symbol))
    prices = {name: round(getattr(candle, name), digits) for name in ("open", "high", "low", "close")}
    return msgspec.structs.replace(candle, **prices)


def _without_sign_of_zero(value: Decimal) -> Decimal:
    return abs(value) if value == 0 else value
