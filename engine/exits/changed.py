"""Exit rules with some fields replaced by a configuration."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from math import inf

from pydantic import TypeAdapter, ValidationError

from engine.model.exit_rules import ExitRules, rule_in_r
from runtime.settings.refusals import dotted, expected
from runtime.suggestions import allowed

_FRACTIONS_TOLERANCE = 1e-9


class ExitsRefused(ValueError):
    """A configuration asks for rules that there are not; the text is one sentence."""


def changed_exits(
    rules: ExitRules, changes: Mapping[str, object], *, gives_distance: bool = True
) -> ExitRules:
    """Exit rules with some fields replaced, all checked by type and range; raises `ExitsRefused`.

    `gives_distance` says whether there are signals with a `risk_distance`: without one, what is in multiples
    of R would never be there.

    `minimal_roi` may also be a mapping from minutes to percent, as in `{"0": 4, "40": 1}`, and a part of
    `partial_exits` one from names to values.
    """
    known = asdict(rules)
    for name in changes:
        if name not in known:
            raise ExitsRefused(f"exits.{name}: no such rule{allowed(name, sorted(known))}")
    try:
        given = known | dict(changes)
        changed = _adapter().validate_python(given | _roi_rows(given))
    except ValidationError as e:
        first = e.errors()[0]
        if first["type"] == "value_error":
            raise ExitsRefused(f"exits.{first['ctx']['error']}") from e
        key, given = dotted(first["loc"]), first["input"]
        raise ExitsRefused(f"exits.{key} is {given!r}, it should be {expected(first)}") from e
    _check(changed)
    in_r = rule_in_r(changed)
    if in_r in changes and not gives_distance:
        raise ExitsRefused(f"exits.{in_r} is a multiple of risk_distance, which the strategy does not give")
    return changed


@cache
def _adapter() -> TypeAdapter[ExitRules]:
    """Made once: that takes longer than to check."""
    return TypeAdapter(ExitRules)


def _roi_rows(changes: Mapping[str, object]) -> dict[str, object]:
    table = changes.get("minimal_roi")
    if not isinstance(table, Mapping):
        return {}
    return {"minimal_roi": [{"after_minutes": at, "percent": percent} for at, percent in table.items()]}


def _check(rules: ExitRules) -> None:
    """Percents and multiples of R are above zero, counts of bars zero or more, fractions within the whole."""
    for name in rules.__dataclass_fields__:
        value = getattr(rules, name)
        if name == "break_even_offset_percent" and value == 0.0:
            continue
        if isinstance(value, float) and not 0.0 < value < inf:
            raise ExitsRefused(f"exits.{name}: {value}, expected a number above zero")
        if isinstance(value, int) and value < 0:
            raise ExitsRefused(f"exits.{name}: {value}, expected zero or more")
    parts = rules.partial_exits
    if not all(0.0 < part.at_r < inf and part.fraction > 0.0 for part in parts) or (
        not sum(part.fraction for part in parts) <= 1.0 + _FRACTIONS_TOLERANCE
    ):
        raise ExitsRefused(
            "exits.partial_exits: expected at_r and fraction above zero, fractions up to 1 in all"
        )
    if not all(0.0 <= step.after_minutes < inf and -100.0 < step.percent < inf for step in rules.minimal_roi):
        raise ExitsRefused(
            "exits.minimal_roi: expected after_minutes of zero or more and a percent above -100 in each row"
        )
