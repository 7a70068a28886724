"""Reads a TOML file into `Settings`; what is wrong with it becomes one sentence."""

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.process.interpreter import is_checkout
from runtime.settings import patterns
from runtime.settings.environment import Home, resolve_port
from runtime.settings.models import ENVIRONMENTS, NEEDS_WORD, Settings, SettingsError, StrategySettings
from runtime.settings.refusals import sentence
from runtime.suggestions import allowed

DEEPEST = 20
"""Levels of tables and lists inside one another."""
_WHOLE_BITS = 63
_TOO_DEEP = f"tables or lists are nested more than {DEEPEST} deep"


def load_settings(
    environment: str = "demo",
    symbol: str | None = None,
    *,
    accept_real_orders: bool = False,
    home: Home | None = None,
) -> Settings:
    """Settings of one environment, with addresses and ports filled in. `SettingsError`: what is wrong.

    `symbol` leaves only that one, traded by the first strategy. `accept_real_orders` is the command line's
    --i-accept-real-orders, without which live does not start.
    """
    home = home or Home.find()
    if environment not in ENVIRONMENTS:
        raise SettingsError(f"there is no environment {environment!r}{allowed(environment, ENVIRONMENTS)}")
    path = home.config(environment)
    is_flag_missing = environment == "live" and not accept_real_orders
    try:
        settings = parse_settings(path, environment, symbol)
    except SettingsError as error:
        if is_flag_missing and NEEDS_WORD in str(error):
            raise SettingsError(
                f"{error}; --i-accept-real-orders is missing on the command line, too"
            ) from None
        raise
    if is_flag_missing:
        raise SettingsError(
            "the command line: live sends real orders; add --i-accept-real-orders to allow them"
            f" ({path} allows it already)"
        )
    try:
        return _with_addresses(settings, home)
    except OSError as error:
        folder = home.data(environment)
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}") from None


def parse_settings(path: Path, environment: str, symbol: str | None = None) -> Settings:
    """The checked content of the file, with that of `overlay_of(path)` on top; addresses are as written."""
    raw, overlay = _read(path), overlay_of(path)
    if overlay.exists():
        raw = _overlaid(raw, _read(overlay))
        path = path.with_name(f"{path.name} with {overlay.name}")  # for what is said
    raw.setdefault("environment", environment)
    if raw["environment"] != environment:
        raise SettingsError(f"{path}: environment must be {environment!r}, as the file's name says")
    if "home" in raw:
        raise SettingsError(f"{path}: home is not a known key")
    if symbol is not None:
        if not re.fullmatch(patterns.SYMBOL, symbol):
            raise SettingsError(f"the command line: {symbol!r} is not a symbol in capitals, like BTCUSDT")
        _leave_one_symbol(raw, symbol)
    try:
        return Settings.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        said = sentence(error, Settings, raw=raw, hidden=("home",))
        raise SettingsError(f"{path}: {said}") from None


def overlay_of(path: Path) -> Path:
    """The file whose keys replace those of a configuration: `demo.local.toml` of `demo.toml`.

    It is the user's own, so that `demo.toml` may come from an update.
    """
    return path.with_suffix(".local.toml")


def _overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; everything else, lists of tables too, is replaced."""
    both = dict(below)
    for key, value in above.items():
        mine = both.get(key)
        both[key] = _overlaid(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return both


def _read(path: Path) -> dict[str, Any]:
    try:
        # Notepad writes a mark in front of UTF-8, which TOML does not know.
        raw = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        hint = "configs/demo.toml is an example" if path.name != "demo.toml" else _how_to_get_one()
        raise SettingsError(f"{path} does not exist; {hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path}: {_TOO_DEEP}") from None
    except ValueError:
        raise SettingsError(f"{path} contains an integer that is too large to be read") from None
    _check_bounds(path, raw)
    return raw


def _how_to_get_one() -> str:
    if is_checkout():
        return "git checkout configs/demo.toml brings it back"
    return "nextbar init makes a folder with one, and commands work anywhere inside that folder"


def _check_bounds(path: Path, raw: dict[str, Any]) -> None:
    """No deeper nesting than settings have, and no integer of more than 64 bits."""
    left: list[tuple[str, object, int]] = [("", raw, 0)]
    while left:
        key, value, depth = left.pop()
        if depth > DEEPEST:
            raise SettingsError(f"{path}: {key.split('.')[0].split('[')[0]}: {_TOO_DEEP}")
        if isinstance(value, dict):
            left += [(f"{key}.{name}" if key else name, one, depth + 1) for name, one in value.items()]
        elif isinstance(value, list):
            left += [(f"{key}[{at}]", one, depth + 1) for at, one in enumerate(value)]
        elif isinstance(value, int) and value.bit_length() > _WHOLE_BITS:
            raise SettingsError(f"{path}: {key} is an integer of more than {_WHOLE_BITS} bits")


def _leave_one_symbol(raw: dict[str, Any], symbol: str) -> None:
    raw["symbols"] = [symbol]
    strategies = raw.get("strategies")
    if not isinstance(strategies, list) or not strategies or not isinstance(strategies[0], dict):
        return
    named = [one for one in strategies if isinstance(one, dict) and symbol in one.get("symbols", ())]
    kept = (named or strategies)[0]
    raw["strategies"] = [{**kept, "symbols": [symbol]}]


def with_ids(strategies: Iterable[StrategySettings]) -> tuple[StrategySettings, ...]:
    """The strategies with the ids that those without one get by their position: s1, s2, ..."""
    return tuple(
        one if one.id else one.model_copy(update={"id": f"s{index}"})
        for index, one in enumerate(strategies, 1)
    )


def _with_addresses(settings: Settings, home: Home) -> Settings:
    data = home.data(settings.environment)
    wire = settings.wire.model_copy(update={"port": resolve_port("wire", settings.wire.port, data)})
    control = resolve_port("control", settings.engine.control_port, data)
    engine = settings.engine.model_copy(update={"control_port": control})
    simulator, gateway = settings.simulator, settings.gateway
    if simulator.enabled:
        port = resolve_port("simulator", simulator.port, data)
        simulator = simulator.model_copy(update={"port": port})
        address = f"127.0.0.1:{port}"
        defaults = {
            "rest_url": f"http://{address}",
            "public_stream_url": f"ws://{address}/public",
            "market_stream_url": f"ws://{address}/market",
            "private_stream_url": f"ws://{address}/private",
        }
        gateway = gateway.model_copy(
            update={key: getattr(gateway, key) or value for key, value in defaults.items()}
        )
    return settings.model_copy(
        update={
            "wire": wire,
            "engine": engine,
            "simulator": simulator,
            "gateway": gateway,
            "strategies": with_ids(settings.strategies),
            "home": home.root,
        }
    )
