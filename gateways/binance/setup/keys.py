"""Reads one account's API keys. The file format is described in `vault/binance_keys.example`."""

import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateways.binance.protocol.errors import ConfigurationError

_NAMES = ("api_key", "api_secret")
_PLACEHOLDER = "put-the-"
"""How the values of vault/binance_keys.example begin."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """One account's key and secret; neither is printed."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    source: str = ""


def load_keys(paths: Sequence[Path]) -> ApiKeys:
    """Keys from the first of `paths` that exists.

    Lines are `name=value`, `#` begins a comment. ConfigurationError in one sentence when there is no
    file, others can read it, or it lacks something; no value is ever part of the sentence.
    """
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise ConfigurationError(
            f"There is no key file {paths[0]}; vault/binance_keys.example shows its format: copy it to "
            f"{shlex.quote(str(paths[0]))} and put the keys there."
        )
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"The key file {path} cannot be read as text.") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"The key file {path} can be read by others; run: chmod 600 {shlex.quote(str(path))}"
        )
    values = _parse(text, path)
    missing = [name for name in _NAMES if not values.get(name)]
    if missing:
        raise ConfigurationError(f"The key file {path} has no {' and no '.join(missing)}.")
    for name in _NAMES:
        value = values[name]
        if value.startswith(_PLACEHOLDER):
            raise ConfigurationError(
                f"The key file {path} still has the example's {name}; put the real one there."
            )
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ConfigurationError(f"The key file {path} has an {name} with characters no key has.")
    return ApiKeys(values["api_key"], values["api_secret"], str(path))


def _parse(text: str, path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        name, separator, value = line.partition("=")
        if not separator or name.strip() not in _NAMES:
            raise ConfigurationError(
                f"The key file {path} has a line {number} that is neither api_key=... nor api_secret=..."
            )
        values[name.strip()] = value.strip().strip("\"'")
    return values
