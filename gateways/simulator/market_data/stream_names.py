"""Names of public market streams."""

import re
from dataclasses import dataclass
from typing import Final

from gateways.simulator.market_data.history.rows import INTERVAL_MS

DEPTH_CADENCES: Final = {"": 250, "@0ms": 0, "@100ms": 100, "@250ms": 250, "@500ms": 500}
_KLINES: Final = "|".join(sorted(INTERVAL_MS, key=len, reverse=True))
_PATTERNS: Final = (
    ("bookTicker", re.compile(r"^(?P<symbol>[^@!]+)@bookTicker$")),
    ("allBookTicker", re.compile(r"^!bookTicker$")),
    ("trade", re.compile(r"^(?P<symbol>[^@!]+)@trade$")),
    ("aggTrade", re.compile(r"^(?P<symbol>[^@!]+)@aggTrade$")),
    ("depth", re.compile(r"^(?P<symbol>[^@!]+)@(?:rpiDepth|depth)(?P<speed>@(?:0|100|250|500)ms)?$")),
    ("partial", re.compile(r"^(?P<symbol>[^@!]+)@depth(?P<levels>5|10|20)(?P<speed>@(?:0|100|250|500)ms)?$")),
    ("kline", re.compile(rf"^(?P<symbol>[^@!]+)@kline_(?P<interval>{_KLINES})$")),
    (
        "continuousKline",
        re.compile(rf"^(?P<symbol>[^@!_]+)_perpetual@continuousKline_(?P<interval>{_KLINES})$"),
    ),
    ("markPrice", re.compile(r"^(?P<symbol>[^@!]+)@markPrice(?P<speed>@1s|@3s)?$")),
    ("allMarkPrice", re.compile(r"^!markPrice@arr(?P<speed>@1s|@3s)?$")),
    ("miniTicker", re.compile(r"^(?P<symbol>[^@!]+)@miniTicker$")),
    ("ticker", re.compile(r"^(?P<symbol>[^@!]+)@ticker$")),
    ("allMiniTicker", re.compile(r"^!miniTicker@arr$")),
    ("allTicker", re.compile(r"^!ticker@arr$")),
    ("forceOrder", re.compile(r"^(?P<symbol>[^@!]+)@forceOrder$")),
    ("allForceOrder", re.compile(r"^!forceOrder@arr$")),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """A parsed stream name. `cadence_ms` is 0 for streams published at once."""

    name: str
    kind: str
    symbol: str = ""
    cadence_ms: int = 0
    levels: int = 0
    interval: str = ""


def parse_stream(name: str) -> Stream | None:
    """Parse a stream name; None if there is no such stream (names are lower case, kinds are not)."""
    for kind, pattern in _PATTERNS:
        match = pattern.match(name)
        if match is None:
            continue
        found = match.groupdict()
        symbol = found.get("symbol") or ""
        if symbol != symbol.lower():
            return None
        speed = found.get("speed") or ""
        return Stream(
            name,
            kind,
            symbol.upper(),
            _cadence(kind, speed),
            int(found.get("levels") or 0),
            found.get("interval") or "",
        )
    return None


def _cadence(kind: str, speed: str) -> int:
    if kind in {"depth", "partial"}:
        return DEPTH_CADENCES[speed]
    if kind in {"markPrice", "allMarkPrice"}:
        return 1000 if speed == "@1s" else 3000
    fixed = {
        "aggTrade": 100,
        "kline": 250,
        "continuousKline": 250,
        "miniTicker": 2000,
        "ticker": 2000,
        "allMiniTicker": 1000,
        "allTicker": 1000,
        "allBookTicker": 5000,
    }
    return fixed.get(kind, 0)
