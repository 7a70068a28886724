"""Building blocks of the configuration files: paths, times, strict sections, errors."""

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from engine.backtest.data.time_column import parse_time, two_days
from engine.model.sentences import SentenceError
from runtime.settings.refusals import first_problem

_YEAR_AND_MONTH = re.compile(r"\d{4}-\d{2}")
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
"""The range of nanoseconds in 64 bits."""
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class ConfigError(SentenceError):
    """The configuration cannot be used; one sentence names file, key and what was expected."""


def expand(text: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` by the environment's values; ValueError if unset."""

    def value(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name) or default
        if found is None:
            raise ValueError(f"environment variable {name} is not set")
        return found

    return _VARIABLE.sub(value, text)


def located(path: Path) -> Path:
    """`path` from the working directory; started inside `engine/`, else from the repository root.

    So `${SHARED:-../shared}` means one place for `python -m engine.backtest.validate_runner` at the root
    and `python -m backtest.validate_runner` in `engine/`.
    """
    package = Path(__file__).resolve().parents[2]
    if path.is_absolute() or path.exists() or Path.cwd() != package:
        return path
    at_root = package.parent / path
    return at_root if at_root.exists() else path


FilePath = Annotated[
    Path, BeforeValidator(lambda raw: located(Path(expand(raw))) if isinstance(raw, str) else raw)
]


class Strict(BaseModel):
    """A section of a configuration: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, raw: object) -> object:
        """Refuse `true` for a number; pydantic would read it as 1."""
        for name, value in raw.items() if isinstance(raw, Mapping) else ():
            field = cls.model_fields.get(name)
            if (
                isinstance(value, bool)
                and field
                and {int, float} & {field.annotation, *get_args(field.annotation)}
            ):
                raise ValueError(f"{name} is {str(value).lower()}, it should be a number")
        return raw


def _moment(raw: object) -> object:
    """A time as people write it; without a zone it is UTC, and a date alone is its first moment."""
    if isinstance(raw, datetime):
        return raw
    try:
        text = str(raw) if isinstance(raw, str) else ""
        found = parse_time(text + "-01" if _YEAR_AND_MONTH.fullmatch(text.strip()) else text)
    except ValueError as e:
        raise ValueError(
            f"{raw!r} is not a time, expected one like 2023-05-01, 2023-05-01T14:00 (both UTC)"
            f" or 2023-05-01T14:00:00+08:00{two_days(str(raw))}"
        ) from e
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"{raw!r} is out of range, expected a time from {_FIRST_YEAR} to {_LAST_YEAR}")
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def moment_of(text: str) -> datetime:
    """A time as people write it, with a zone; ValueError says what was expected."""
    found = _moment(text)
    assert isinstance(found, datetime)
    return found


def minute(moment: datetime) -> str:
    """The time for a sentence: "2023-05-01 14:00 UTC"."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def check_period(first: datetime | None, end: datetime | None, names: str = "start and end") -> None:
    """ValueError where the end is not after the start."""
    if first is not None and end is not None and end <= first:
        raise ValueError(f"{names}: {minute(end)} is not after {minute(first)}")


def period_text(first: datetime | None, end: datetime | None) -> str:
    """ "from 2023-05-01 00:00 UTC on and before 2023-06-01 00:00 UTC"; each where it is given."""
    parts = (f"from {minute(first)} on" if first else "", f"before {minute(end)}" if end else "")
    return " and ".join(filter(None, parts))


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


def read_json(path: Path) -> object:
    """What a JSON file holds; raises `ConfigError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: not a text file, expected JSON") from e
    except (ValueError, RecursionError) as e:
        raise ConfigError(f"{path}: not JSON ({e})") from e


def blamed(error: ValidationError, file: Path | None, changes: Mapping[str, Any]) -> str:
    """Source of the value that `sentence` names: the file, or the command line's `changes` to it."""
    if file is None:
        return "command line"
    found: object = changes
    place = first_problem(error)["loc"]
    if not place:
        return str(file)
    for part in place:
        if not isinstance(found, Mapping):
            break
        if part not in found:
            return str(file)
        found = found[part]
    return "command line"


def to_ns(moment: datetime | None) -> int | None:
    """Integer nanoseconds of an aware time."""
    return None if moment is None else int(moment.timestamp()) * 1_000_000_000
