"""What strategies may hand over: texts, numbers and the arguments of broker verbs; live and in backtests."""

from collections.abc import Mapping
from functools import lru_cache
from math import isnan
from numbers import Real

from engine.model.sentences import NextbarError, SentenceError

LONGEST_TEXT = 200
"""Characters of a tag, an id or a comment."""
MOST_VALUES = 100
"""Numbers that a signal may carry for its record."""
MOST_ORDERS = 100
"""Ids that a script may have resting by one verb, and market orders that it may ask for on one bar."""
LARGEST = 1e15
"""Prices and quantities stay below: beyond, a float no longer tells two ticks or steps apart."""
_BELOW_LARGEST = LARGEST / 2
_QUANTITY, _PERCENT = "a number of 0 or more", "a number from 0 to 100"
_PRICE, _DISTANCE = "a price", "a number of ticks, 0 or more"
_SIZES = (_QUANTITY, _PERCENT)
_WANTED = {
    "qty": _QUANTITY,
    "qty_percent": _PERCENT,
    **dict.fromkeys(("limit", "stop", "trail_price"), _PRICE),
}
"""What a number of a verb should be; a distance where nothing is said. A price may be 0 or below, as in Pine:
far from a market that has fallen a script's arithmetic ends there, and such a level means something."""
_NAMING = frozenset({"entry", "order", "exit"})


class StrategyFault(NextbarError):
    """A strategy's own fault, in one sentence; `trace` is where it happened, line by line."""

    def __init__(self, sentence: str, trace: str = "") -> None:
        super().__init__(sentence)
        self.trace = trace


def is_text(value: object) -> bool:
    """Text that can be written down and sent."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_room(verb: str, count: int) -> None:
    """`SentenceError` where a script already has `MOST_ORDERS` of a kind."""
    if count >= MOST_ORDERS:
        raise SentenceError(f"{verb}: more than {MOST_ORDERS} orders at once")


def is_number(value: object) -> bool:
    """Something that is a float, or becomes one; nan and infinity too."""
    if not isinstance(value, Real):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def check_call(
    verb: str, texts: Mapping[str, object], numbers: Mapping[str, object], direction: object = "long"
) -> None:
    """`SentenceError` for an argument that no broker can take, by its name: see `_WANTED`. Some scripts call
    it on every bar of a backtest, so what is usual is passed with few steps.

    A price or a distance that is None or nan is not given, as `na` in Pine; a quantity that is nan is
    refused, for it would become an order of another size.
    """
    if direction not in ("long", "short"):
        raise SentenceError(f'{verb}: direction is {_short(direction)}, it should be "long" or "short"')
    for name, value in numbers.items():
        most = 100.0 if name == "qty_percent" else _BELOW_LARGEST
        if value is not None and not (type(value) is float and 0.0 < value <= most):
            _check_number(verb, name, value)
    for name, value in texts.items():
        is_usual = type(value) is str and len(value) <= LONGEST_TEXT and value.isprintable()
        if not is_usual or (name == "id" and not value):
            _check_text(verb, name, value)


def _check_text(verb: str, name: str, value: object) -> None:
    if name == "id" and value == "" and verb in _NAMING:
        raise SentenceError(f"{verb}: id is empty, it should be a name")
    if not is_text(value):
        expected = f"text of at most {LONGEST_TEXT} characters"
        raise SentenceError(f"{verb}: {name} is {_short(value)}, it should be {expected}")


def check_entry(
    verb: str,
    direction: object,
    texts: tuple[object, object, object],
    qty: object,
    limit: object,
    stop: object,
) -> None:
    """`check_call` for a verb that opens; `texts` are id, oca_name and comment, checked once each."""
    try:
        _passed(verb, direction, *texts)
    except TypeError:  # something that cannot be remembered, and so is no text
        _passed.__wrapped__(verb, direction, *texts)
    if qty is not None or limit is not None or stop is not None:
        check_call(verb, {}, {"qty": qty, "limit": limit, "stop": stop})


@lru_cache(maxsize=1024)
def _passed(verb: str, direction: object, id: object, oca_name: object, comment: object) -> None:
    check_call(verb, {"id": id, "oca_name": oca_name, "comment": comment}, {}, direction)


def _check_number(verb: str, name: str, value: object) -> None:
    if not isinstance(value, Real):
        raise SentenceError(f"{verb}: {name} is {_short(value)}, it should be a number or None")
    if not is_number(value) or abs(float(value)) >= LARGEST:
        bound = f"above -{LARGEST:g}" if value < 0 else f"below {LARGEST:g}"
        raise SentenceError(f"{verb}: {name} is {_short(value)}, it should be {bound}")
    number, wanted = float(value), _WANTED.get(name, _DISTANCE)
    if wanted is _PRICE:
        return
    if number < 0 or (isnan(number) and wanted in _SIZES) or (number > 100 and wanted is _PERCENT):
        raise SentenceError(f"{verb}: {name} is {_short(value)}, it should be {wanted}")


def _short(value: object) -> str:
    text = repr(value)[:60]
    return f"{text} of type {type(value).__name__}" if not isinstance(value, (str, float, int)) else text
