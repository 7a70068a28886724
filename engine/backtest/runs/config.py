"""The configuration of `python -m engine.backtest`, from a file and from the command line."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from engine.backtest.data.broker_config import merged_broker
from engine.backtest.data.configuration import ConfigError, Strict, blamed, read_json
from engine.backtest.data.market_files import DataConfig
from engine.backtest.runs.engines import DEFAULT_ENGINE, EngineName
from engine.model.owners import short_name
from runtime.settings.refusals import sentence

_LONGEST_NAME = 100


class StrategyChoice(Strict):
    """One strategy to run: a name, `FILE.py:Class` or `package.module:Class`.

    `exits` replaces fields of the exit rules that its parameters gave.
    """

    strategy: str = Field(min_length=1)
    name: str = ""
    params: dict[str, object] = Field(default_factory=dict)
    exits: dict[str, object] = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """Title of the report and name of its folder: the given name, the strategy's, or its class's."""
        return self.name or short_name(self.strategy)

    @field_validator("name")
    @classmethod
    def _is_a_folder(cls, name: str) -> str:
        fits = len(name) <= _LONGEST_NAME and name.isprintable() and name.strip(". ") == name
        if not fits or any(sign in name for sign in '/\\:*?"<>|'):
            raise ValueError(f"{name!r} cannot be the name of a folder, and the results folder has this name")
        return name


class RunConfig(DataConfig):
    """Strategies that run side by side, each on an account of its own that all its symbols share."""

    strategies: tuple[StrategyChoice, ...] = Field(min_length=1)
    engine: EngineName = DEFAULT_ENGINE


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
        raw = _with_files_beside(file, found)
    for key, what in (
        ("strategies", "--strategy NAME"),
        ("data", "--data FILE, or a sample such as sample-1h"),
    ):
        if key not in raw | changes:
            raise ConfigError(f"{source}: {key} is missing, give {what}")
    broker = merged_broker(raw.get("broker", {}), changes.get("broker", {}))
    try:
        config = RunConfig.model_validate(raw | changes | {"broker": broker})
    except ValidationError as e:
        raise ConfigError(f"{blamed(e, file, changes)}: {sentence(e, RunConfig)}") from e
    titles = [choice.title for choice in config.strategies]
    for title in titles:
        if titles.count(title) > 1:
            raise ConfigError(f"{source}, strategies: {title!r} appears twice; give each its own name")
    return config


def _with_files_beside(file: Path, raw: dict[str, Any]) -> dict[str, Any]:
    """`FILE.py:Class` in a configuration is a file beside it, where there is one."""
    given = raw.get("strategies")
    if not isinstance(given, list):
        return raw
    return raw | {"strategies": [_beside(file.parent, one) for one in given]}


def _beside(folder: Path, choice: object) -> object:
    if not isinstance(choice, dict) or not isinstance(choice.get("strategy"), str):
        return choice
    place, colon, class_name = choice["strategy"].rpartition(":")
    path = (folder / (place or class_name)).resolve()
    is_file = path.suffix == ".py" and path.is_file()
    return choice | {"strategy": f"{path}:{class_name}" if colon else str(path)} if is_file else choice


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
    made: list[dict[str, Any]] = [{"strategy": name, "params": {}, "exits": {}} for name in strategies]
    for key, given in (("params", params), ("exits", exits)):
        option = "--param" if key == "params" else "--exit"
        for name, value in (named_value(option, text) for text in given):
            target, dot, rest = name.rpartition(".")
            mine = [
                one
                for one in made
                if not dot or target in {one["strategy"], short_name(str(one["strategy"]))}
            ]
            if not mine:
                raise ConfigError(f"{option} {name}: {target} is not one of the strategies to run")
            for one in mine:
                one[key][rest if dot else name] = value
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
