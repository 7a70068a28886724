"""JSON from outside: finite, and not nested deeper than the machine can follow."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import msgspec

MAX_MAGNITUDE = Decimal("1e12")
"""No amount, price or size in a command is as large."""

_T = TypeVar("_T")


class BadJsonError(ValueError):
    """The text is no JSON, or not of the form asked for; the message says where."""


def decode(text: str | bytes, kind: type[_T]) -> _T:
    """Decode a text of the form `kind` (`object`: any). Raises `BadJsonError` for everything that is not."""
    return _bounded(lambda: msgspec.json.decode(text, type=kind))


def decode_exact(text: str | bytes) -> object:
    """Decode a text of any form; numbers with a point stay text, as they were written."""
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
    """Refuse decimals that are not finite, or out of all proportion. Raises ValueError naming the field."""
    for name, value in msgspec.structs.asdict(command).items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, msgspec.Struct):
                check_finite(item)
            # `abs` would round, and rounding overflows.
            elif isinstance(item, Decimal) and not (item.is_finite() and item.copy_abs() < MAX_MAGNITUDE):
                raise ValueError(f"{name}: expected a finite number below 1e12, got {item}")
