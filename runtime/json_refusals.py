"""JSON that is not what was expected, in one sentence: which key, what was given, what is expected."""

import json
import re
from collections.abc import Sequence

import msgspec
from msgspec import inspect

from runtime.suggestions import allowed, did_you_mean

_NAMED = re.compile(r"`(.*)`")
_PLACE = re.compile(r" - at `\$(.*)`$")
_SHOWN = 60


def sentence(error: BaseException, text: str | bytes, kind: type) -> str:
    """What is wrong with `text`, which msgspec refused to decode as the struct `kind` with that error."""
    said = str(error)
    try:
        given: object = msgspec.json.decode(text)
    except (ValueError, RecursionError, msgspec.DecodeError):
        return f"this is not JSON: {said.removeprefix('JSON is malformed: ')}"
    place = _PLACE.search(said)
    path = _parts(place[1]) if place else []
    expected: inspect.Type | None = inspect.type_info(kind)
    for part in path:
        expected, given = _within(expected, part), _value(given, part)
    named = _NAMED.search(said.partition(" - at ")[0])
    where = place[1].lstrip(".") if place else ""
    if "unknown field" in said and named:
        return f"{_key(where, named[1])}: no such key{allowed(named[1], _names(expected))}"
    if "missing required" in said and named:
        return f"{_key(where, named[1])} is missing; expected {words(_within(expected, named[1]))}"
    shown = "" if given is ... else f", not {_short(given)}"
    hint = did_you_mean(given, _literals(expected)) if isinstance(given, str) else ""
    return f"{f'{where}: ' if where else ''}expected {words(expected)}{shown}{hint}"


def words(expected: inspect.Type | None) -> str:
    """What a value of that type is, for a person."""
    match expected:
        case inspect.Metadata(type=inner, extra_json_schema=about):
            return str((about or {}).get("description") or words(inner))
        case inspect.UnionType(types=types):
            named = inspect.LiteralType(tuple(_literals(expected)))
            plain = [one for one in types if not isinstance(one, inspect.LiteralType | inspect.NoneType)]
            some = [*([words(named)] if named.values else []), *map(words, plain)]
            return " or ".join((*some, "null") if inspect.NoneType() in types else some)
        case inspect.IntType(ge=least, le=most):
            return f"a whole number{_between(least, most)}"
        case inspect.FloatType(ge=least, le=most):
            return f"a number{_between(least, most)}"
        case inspect.StrType(max_length=most):
            return "text" if most is None else f"text of at most {most} characters"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(one) or '""' for one in values)
        case inspect.ListType(item_type=inner, max_length=most):
            return f"a list{'' if most is None else f' of at most {most}'}, each {words(inner)}"
        case inspect.StructType(fields=fields):
            return f"an object with keys of {', '.join(one.encode_name for one in fields)}"
        case inspect.DictType():
            return "an object"
    others = {inspect.DecimalType: "a number", inspect.BoolType: "true or false", inspect.NoneType: "null"}
    return others.get(type(expected), "another value")  # type: ignore[arg-type]  # None is not among them


def _between(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return ""
    if least is None:
        return f" of at most {most:,}"
    return f" of {least:,} or more" if most is None else f" from {least:,} to {most:,}"


def _parts(path: str) -> list[str | int]:
    """Keys and places in lists of a path of msgspec, like `.rows[0].leverage`."""
    return [int(one) if one.isdecimal() else one for one in re.findall(r"[^.\[\]]+", path)]


def _within(expected: inspect.Type | None, part: str | int) -> inspect.Type | None:
    """The type of a key, or of the items of a list."""
    match expected:
        case inspect.Metadata(type=inner):
            return _within(inner, part)
        case inspect.UnionType(types=types):
            return next((found for one in types if (found := _within(one, part)) is not None), None)
        case inspect.StructType(fields=fields):
            return next((one.type for one in fields if one.encode_name == part), None)
        case inspect.ListType(item_type=inner) if isinstance(part, int):
            return inner
    return None


def _value(given: object, part: str | int) -> object:
    """What stands there; `...` where that is not known."""
    if isinstance(given, list) and isinstance(part, int):
        return given[part]
    return given.get(part, ...) if isinstance(given, dict) else ...


def _names(expected: inspect.Type | None) -> list[str]:
    return [one.encode_name for one in expected.fields] if isinstance(expected, inspect.StructType) else []


def _literals(expected: inspect.Type | None) -> Sequence[str]:
    match expected:
        case inspect.LiteralType(values=values):
            return [str(one) for one in values]
        case inspect.UnionType(types=types):
            return [name for one in types for name in _literals(one)]
    return ()


def _key(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
