"""Parameters of one request: case-insensitive names, text values, typed when read."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from gateways.simulator.api.requests.bounded_json import BadJsonError, decode
from gateways.simulator.exchange.model.errors import ApiError, invalid_parameter, missing_parameter

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?")
_LARGEST_INTEGER = 2**63 - 1
_LARGEST, _SMALLEST = Decimal("1e31"), Decimal("1e-30")
_MAX_PARAMS = 100


def split_pairs(raw: str) -> list[tuple[str, str]]:
    """Decode `a=1&b=2` (percent encoding, UTF-8) into pairs, in the order sent."""
    pairs = []
    for piece in raw.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    if len(pairs) > _MAX_PARAMS:
        raise ApiError(-1101, "Too many parameters; expected at most 100.")
    return pairs


class Params:
    """Case-insensitive view of the parameters of a request."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    @classmethod
    def of_http(cls, query: str, body: str) -> "Params":
        """Parse query string and form body; a parameter in both is taken from the query."""
        if not body:
            return cls(dict(split_pairs(query)))
        merged = {name.lower(): value for name, value in split_pairs(body)}
        merged.update((name.lower(), value) for name, value in split_pairs(query))
        return cls(merged)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> "Params":
        """Parse a JSON object, as in the WS API or an item of a batch."""
        return cls({name: json_text(value) for name, value in values.items() if value is not None})

    def has(self, name: str) -> bool:
        """Whether the parameter was sent with a value."""
        return bool(self._values.get(name.lower()))

    def text(self, name: str) -> str | None:
        """Value as sent, or None where absent or empty."""
        return self._values.get(name.lower()) or None

    def require(self, name: str) -> str:
        """Value as sent; -1102 where absent or empty."""
        value = self._values.get(name.lower())
        if not value:
            raise missing_parameter(name)
        return value

    def integer(self, name: str) -> int | None:
        """Integer value (`5`, `5.0`), or None."""
        value = self.text(name)
        if value is None:
            return None
        if not _PLAIN_NUMBER.fullmatch(value):
            raise invalid_parameter(name)
        number = Decimal(value)
        if abs(number) > _LARGEST_INTEGER or number != int(number):
            raise invalid_parameter(name)
        return int(number)

    def decimal(self, name: str) -> Decimal | None:
        """Exact decimal value, or None; -1102 when it is not a number, like the live exchange."""
        value = self.text(name)
        if value is None:
            return None
        if not _PLAIN_NUMBER.fullmatch(value):
            raise missing_parameter(name)
        number = Decimal(value)
        if number and not _SMALLEST <= abs(number) < _LARGEST:
            raise missing_parameter(name)
        return number

    def boolean(self, name: str) -> bool | None:
        """`true`/`false` in any case, or None."""
        value = self.text(name)
        if value is None:
            return None
        lowered = value.lower()
        if lowered not in {"true", "false"}:
            raise invalid_parameter(name)
        return lowered == "true"

    def upper(self, name: str) -> str | None:
        """Value in upper case (side, type, symbol), or None."""
        value = self.text(name)
        return value.upper() if value is not None else None

    def json_list(self, name: str) -> list[Any] | None:
        """A JSON array sent as text, or None."""
        value = self.text(name)
        if value is None:
            return None
        try:
            decoded = decode(value, object)
        except BadJsonError as error:
            raise invalid_parameter(name) from error
        if not isinstance(decoded, list):
            raise invalid_parameter(name)
        return decoded


def json_text(value: object) -> str:
    """Return a JSON value as the text it has in a query string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    return msgspec.json.encode(value).decode()
