"""What `python -m engine.backtest` is asked to run, from a file and from the command line."""

import json
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from engine.backtest.data.gaps import GapRule
from engine.backtest.parity.config import (
    BrokerConfig,
    ConfigError,
    FilePath,
    Moment,
    Strict,
    blamed,
    check_period,
    read_json,
)
from engine.model.exit_rules import ExitRules
from runtime.settings.refusals import dotted, expected, sentence

BROKER_DEFAULTS = {"commission_percent": 0.05, "slippage_ticks": 1, "percent_of_equity": 10.0}
"""What a backtest costs and buys where nobody says otherwise, beside the defaults of `BrokerConfig`."""

_SIZES = ("cash", "percent_of_equity", "qty")
_LONGEST_NAME = 100
_FRACTIONS_TOLERANCE = 1e-9
EngineName = Literal["kernel", "event"]


class StrategyChoice(Strict):
    """One strategy to run: a registered name, or `package.module:Class`.

    `exits` replaces fields of the exit rules that its parameters gave.
    """

    strategy: str = Field(min_length=1)
    name: str = ""
    params: dict[str, object] = Field(default_factory=dict)
    exits: dict[str, object] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """How the report and its folder are called: the name, or the strategy's, or its class's."""
        return self.name or self.strategy.rpartition(":")[2]

    @field_validator("name")
    @classmethod
    def _is_a_folder(cls, name: str) -> str:
        fits = len(name) <= _LONGEST_NAME and name.isprintable() and name.strip(". ") == name
        if not fits or any(sign in name for sign in '/\\:*?"<>|'):
            raise ValueError(f"{name!r} cannot be the name of a folder, which it is for the results")
        return name


class RunConfig(Strict):
    """Strategies that run side by side, each on an account of its own that all its symbols share.

    `data` are files of bars or names of sample markets. `finer` (bars inside the bars) and `funding` are
    files by symbol. `start` and `end` cut the data; `end` is the first bar left out.
    `gaps` says what becomes of missing bars.
    `instruments` is a saved answer of `exchangeInfo`, for tick, quantity step and smallest orders.
    """

    strategies: tuple[StrategyChoice, ...] = Field(min_length=1)
    data: tuple[FilePath, ...] = Field(min_length=1)
    finer: dict[str, FilePath] = Field(default_factory=dict)
    funding: dict[str, FilePath] = Field(default_factory=dict)
    instruments: FilePath | None = None
    start: Moment | None = None
    end: Moment | None = None
    gaps: GapRule = "keep"
    engine: EngineName = "kernel"
    broker: BrokerConfig = Field(default_factory=lambda: BrokerConfig.model_validate(BROKER_DEFAULTS))

    @model_validator(mode="after")
    def _start_before_end(self) -> Self:
        check_period(self.start, self.end)
        return self


def build_config(file: Path | None, changes: dict[str, Any]) -> RunConfig:
    """The file's configuration with the command line's on top; raises `ConfigError`.

    The settings of the broker are merged one by one: defaults, then the file's, then the command line's.
    """
    raw: dict[str, Any] = {}
    source = "command line"
    if file is not None:
        source = str(file)
        found = read_json(file)
        if not isinstance(found, dict):
            raise ConfigError(f"{file}: expected a JSON object with strategies and data")
        raw = found
    for key, what in (
        ("strategies", "--strategy NAME"),
        ("data", "--data FILE, or a sample such as sample-1h"),
    ):
        if key not in raw | changes:
            raise ConfigError(f"{source}: {key} is missing, give {what}")
    try:
        config = RunConfig.model_validate(raw | changes | {"broker": _merged_broker(raw, changes)})
    except ValidationError as e:
        raise ConfigError(f"{blamed(e, file, changes)}: {sentence(e, RunConfig)}") from e
    titles = [choice.title for choice in config.strategies]
    for title in titles:
        if titles.count(title) > 1:
            raise ConfigError(f"{source}, strategies: {title!r} is there twice, give each a name of its own")
    return config


def _merged_broker(*layers: Mapping[str, Any]) -> object:
    """The broker settings of all layers, later ones first; a size replaces every size of the layers below."""
    merged: dict[str, Any] = dict(BROKER_DEFAULTS)
    for layer in layers:
        given = layer.get("broker", {})
        if not isinstance(given, dict):
            return given  # refused by the model, with its key
        if any(given.get(name) is not None for name in _SIZES):
            merged = {name: value for name, value in merged.items() if name not in _SIZES}
        own = _merged_symbols(merged.get("symbols"), given.get("symbols"))
        merged |= given | ({"symbols": own} if own else {})
    return merged


def _merged_symbols(below: object, above: object) -> object:
    """The settings of single symbols, merged key by key; what is no mapping is refused by the model."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above or below
    both = dict(below)
    for symbol, given in above.items():
        mine = both.get(symbol)
        both[symbol] = mine | given if isinstance(mine, dict) and isinstance(given, dict) else given
    return both


def broker_options(texts: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` for all symbols and `SYMBOL.NAME=VALUE` for one, as a piece of configuration."""
    found: dict[str, Any] = {}
    for name, value in (named_value("--broker", text) for text in texts):
        symbol, dot, key = name.rpartition(".")
        if dot:
            found.setdefault("symbols", {}).setdefault(symbol, {})[key] = value
        else:
            found[name] = value
    return found


def choices(strategies: Sequence[str], params: Sequence[str], exits: Sequence[str]) -> list[dict[str, Any]]:
    """Strategies of the command line with `name=value` parameters.

    `STRATEGY.name=value` is for that strategy alone. Values are JSON where they can be read as that, else
    text.
    """
    made = [{"strategy": name, "params": {}, "exits": {}} for name in strategies]
    for key, given in (("params", params), ("exits", exits)):
        option = "--param" if key == "params" else "--exit"
        for name, value in (named_value(option, text) for text in given):
            target, dot, rest = name.rpartition(".")
            mine = [one for one in made if not dot or one["strategy"] == target]
            if not mine:
                raise ConfigError(f"{option} {name}: {target} is not among the strategies that run")
            for one in mine:
                one[key][rest if dot else name] = value  # type: ignore[index]  # both are mappings
    return made


def named_value(option: str, text: str) -> tuple[str, object]:
    """`name=value` with the value read as JSON where it is JSON."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise ConfigError(f"{option} {text}: expected NAME=VALUE")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def changed_exits(rules: ExitRules, changes: dict[str, object]) -> ExitRules:
    """Exit rules with some fields replaced, checked by type; raises `ConfigError`."""
    from dataclasses import asdict  # noqa: PLC0415  # only where something is changed

    from pydantic import TypeAdapter  # noqa: PLC0415

    if not changes:
        return rules
    known = asdict(rules)
    for name in changes:
        if name not in known:
            raise ConfigError(f"exits.{name}: no such rule, there are {', '.join(sorted(known))}")
    try:
        changed = TypeAdapter(ExitRules).validate_python(known | changes)
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
