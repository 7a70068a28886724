"""Untrusted JSON: finite numbers only, and an error instead of a crash when nested too deeply."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import msgspec

MAX_MAGNITUDE = Decimal("1e12")
"""Upper bound of amounts, prices and sizes in a command."""

_T = TypeVar("_T")


class BadJsonError(ValueError):
    """The text is not JSON, or not of the expected type; the message says where."""


def decode(text: str | bytes, kind: type[_T]) -> _T:
    """Decode JSON as type `kind` (`object`: any). Raises `BadJsonError`."""
    return _bounded(lambda: msgspec.json.decode(text, type=kind))


def decode_exact(text: str | bytes) -> object:
    """Decode any JSON; numbers with a decimal point stay text, exactly as written."""
    return _bounded(lambda: _EXACT.decode(text))


_EXACT = msgspec.json.Decoder(float_hook=str)


def _bounded(decoding: Callable[[], _T]) -> _T:
    try:
        return decoding()
    except RecursionError as error:
        raise BadJsonError("JSON is nested too deeply") from error
    except ValueError as error:
        raise BadJsonError(str(error)) from error


def check_finite(command: msgspec.Struct) -> None:
    """Refuse decimals that are not finite or too large. Raises ValueError naming the field."""
    for name, value in msgspec.structs.asdict(command).items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, msgspec.Struct):
                check_finite(item)
            # `abs` would round, and rounding overflows.
            elif isinstance(item, Decimal) and not (item.is_finite() and item.copy_abs() < MAX_MAGNITUDE):
                raise ValueError(f"{name}: expected a finite number below 1e12, got {item}")
