"""Exit rules with some fields replaced by a configuration."""

from collections.abc import Mapping
from dataclasses import asdict
from math import inf

from pydantic import TypeAdapter, ValidationError

from engine.backtest.data.configuration import ConfigError
from engine.model.exit_rules import ExitRules
from runtime.settings.refusals import dotted, expected
from runtime.suggestions import allowed

_FRACTIONS_TOLERANCE = 1e-9


def changed_exits(rules: ExitRules, changes: Mapping[str, object]) -> ExitRules:
    """Exit rules with some fields replaced, checked by type; raises `ConfigError`."""
    if not changes:
        return rules
    known = asdict(rules)
    for name in changes:
        if name not in known:
            raise ConfigError(f"exits.{name}: no such rule{allowed(name, sorted(known))}")
    try:
        changed = TypeAdapter(ExitRules).validate_python(known | dict(changes))
    except ValidationError as e:
        first = e.errors()[0]
        key, given = dotted(first["loc"]), first["input"]
        raise ConfigError(f"exits.{key} is {given!r}, it should be {expected(first)}") from e
    _check_exits(changed)
    return changed


def _check_exits(rules: ExitRules) -> None:
    """Percents and multiples of R are above zero, counts of bars zero or more, fractions within the whole."""
    for name in rules.__dataclass_fields__:
        value = getattr(rules, name)
        if isinstance(value, float) and not 0.0 < value < inf:
            raise ConfigError(f"exits.{name}: {value}, expected a number above zero")
        if isinstance(value, int) and value < 0:
            raise ConfigError(f"exits.{name}: {value}, expected zero or more")
    parts = rules.partial_exits
    if not all(0.0 < part.at_r < inf and part.fraction > 0.0 for part in parts) or (
        not sum(part.fraction for part in parts) <= 1.0 + _FRACTIONS_TOLERANCE
    ):
        raise ConfigError(
            "exits.partial_exits: expected at_r and fraction above zero, fractions up to 1 in all"
        )
