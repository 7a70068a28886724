"""Numbers in the exchange's format: exact decimals, plain notation, fixed places."""

from decimal import ROUND_HALF_EVEN, Decimal

from gateways.simulator.exchange.model.symbols import SymbolSpec

_EXTRA_AVERAGE_PLACES = 3
_MONEY = Decimal("0.00000001")


def fixed(value: Decimal, places: int) -> str:
    """Value with exactly `places` decimals, never in exponent notation."""
    text = f"{value:.{places}f}"
    return text.lstrip("-") if text.startswith("-") and not text.strip("-0.") else text


def plain(value: Decimal) -> str:
    """Value with the decimals it has, without trailing zeros or exponent."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def money(value: Decimal) -> str:
    """Balance, margin, profit or fee: 8 decimals."""
    return fixed(value.quantize(_MONEY, ROUND_HALF_EVEN), 8)


def price(spec: SymbolSpec, value: Decimal) -> str:
    """A price on the symbol's grid."""
    return fixed(value, spec.price_precision)


def qty(spec: SymbolSpec, value: Decimal) -> str:
    """A base quantity on the symbol's grid."""
    return fixed(value, spec.quantity_precision)


def average(spec: SymbolSpec, value: Decimal) -> str:
    """A mean price, which lies between ticks."""
    return fixed(value, spec.price_precision + _EXTRA_AVERAGE_PLACES)
