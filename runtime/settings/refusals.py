"""Validation errors of pydantic in plain words: which key, its value, what was expected."""

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from runtime.settings.patterns import in_words
from runtime.suggestions import allowed

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_WORDS = {
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "timezone_aware": "a time with a zone, like 2025-01-31T14:00:00Z",
}
_KINDS = (
    ("int_", "an integer"),
    ("float_", "a number"),
    ("decimal_", "a number"),
    ("bool_", "a boolean, true or false"),
    ("string_", "text"),
    ("path_", "the path of a file"),
    ("datetime_", "a time, like 2025-01-31T14:00:00Z"),
    ("date_", "a date, like 2025-01-31"),
    ("timezone_", "a time with a zone, like 2025-01-31T14:00:00Z"),
    ("tuple_", "a list"),
    ("list_", "a list"),
    ("set_", "a list"),
    ("frozen_set_", "a list"),
    ("dict_", "keys with values"),
    ("mapping_", "keys with values"),
    ("model_", "keys with values"),
    ("dataclass_", "keys with values"),
)
_UNION_BRANCHES = frozenset({"bool", "int", "float", "str"})


def first_problem(error: ValidationError) -> "ErrorDetails":
    """The error that `sentence` describes: an unknown key first, which may be a missing one misspelt."""
    return min(_own(error.errors()), key=lambda problem: problem["type"] != "extra_forbidden")


def sentence(
    error: ValidationError,
    root: type[BaseModel],
    *,
    prefix: str = "",
    raw: Collection[str] = (),
    hidden: Collection[str] = (),
) -> str:
    """The first error as one sentence, with the number of others.

    `root` is the model that was validated, `prefix` stands before the key, `raw` are the keys of the input,
    `hidden` keys are not suggested where an unknown one is refused. Values of unknown keys are not shown.
    """
    problems = _own(error.errors())
    first = first_problem(error)
    location = tuple(part for part in first["loc"] if part not in _UNION_BRANCHES or part in raw)
    key = prefix + (dotted(location) or "the whole")
    if first["type"] == "extra_forbidden":
        said = f"{key} is not a known key{allowed(str(location[-1]), _keys(location, root, hidden))}"
    elif first["type"] == "missing":
        said = f"{key} is missing"
    elif first["type"] == "value_error":
        said = str(first["ctx"]["error"])
        said = said if location == () or dotted(location) in said else f"{key}: {said}"
    else:
        said = f"{key} is {_short(first['input'])}, it should be {expected(first)}{_meaning(location, root)}"
    return f"{said} (and {len(problems) - 1} more)" if len(problems) > 1 else said


def _own(problems: "list[ErrorDetails]") -> "list[ErrorDetails]":
    """Without lists that are too short only because an element was refused."""
    places = [problem["loc"] for problem in problems]
    return [
        problem
        for problem in problems
        if problem["type"] != "too_short"
        or not any(
            len(place) > len(problem["loc"]) and place[: len(problem["loc"])] == problem["loc"]
            for place in places
        )
    ]


def expected(problem: Mapping[str, Any]) -> str:
    """The expected value of an error, to follow "it should be"."""
    kind = str(problem["type"])
    if kind == "string_pattern_mismatch":
        return in_words(problem["ctx"]["pattern"])
    if kind in _WORDS:
        if kind == "string_too_short" and problem["ctx"]["min_length"] == 1:
            return "text that is not empty"
        limits = problem.get("ctx", {})
        shown = {key: f"{one:g}" if isinstance(one, float) else one for key, one in limits.items()}
        return _WORDS[kind].format(**shown)
    return next((words for start, words in _KINDS if kind.startswith(start)), "of another kind")


def dotted(location: Location) -> str:
    """`strategies[0].name`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys(location: Location, root: type[BaseModel], hidden: Collection[str]) -> list[str]:
    """The keys that may stand where `location` is."""
    return sorted(key for key in _model_at(location[:-1], root).model_fields if key not in hidden)


def _meaning(location: Location, root: type[BaseModel]) -> str:
    """The description of the key, in brackets."""
    names = [part for part in location if isinstance(part, str)]
    if not names:
        return ""
    field = _model_at(names[:-1], root).model_fields.get(names[-1])
    if field is None or not field.description:
        return ""
    text = " ".join(field.description.split()).partition(". ")[0].rstrip(".")
    return f" ({text[0].lower()}{text[1:]})"


def _model_at(location: Collection[int | str], root: type[BaseModel]) -> type[BaseModel]:
    model = root
    for part in location:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            candidates = (field.annotation, *get_args(field.annotation))
            models = (one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel))
            model = next(models, model)
    return model
