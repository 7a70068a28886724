"""Describes the data and broker settings of a result, for consoles and reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.backtest.data.broker_config import SIZES, BrokerConfig
from engine.model.bars import Bars
from runtime.control.shown import digits

_ALWAYS = frozenset(
    {
        *SIZES,
        *("initial_capital", "tick", "qty_step"),
        *("commission_percent", "slippage_ticks", "slippage_bps", "process_orders_on_close"),
    }
)
_CALENDAR = {31 * 86_400: "1mo", 92 * 86_400: "3mo", 184 * 86_400: "6mo", 366 * 86_400: "1y"}
"""Bars of months and years count as their longest."""
_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def data_lines(summary: Mapping[str, Any]) -> list[str]:
    """One line a symbol: bars, timeframe, period, tick and quantity step; then the notes on the data."""
    lines = [
        f"{one['symbol']}: {one['bars']} bars of {timeframe(one['timeframe_seconds'])},"
        f" {_minute(one['first_open'])} to {_minute(one['last_open'])} UTC,"
        f" tick {_with_source(one, 'tick')}, quantity step {_with_source(one, 'qty_step')}"
        for one in summary["data"]
    ]
    return [*lines, *summary["notes"]]


def broker_line(broker: Mapping[str, Any]) -> str:
    """The effective settings: capital, size, fees, slippage and timing always, others where they are set."""
    parts = [f"capital {digits(broker['initial_capital'])}", _size(broker), _fees(broker), _slippage(broker)]
    if broker["process_orders_on_close"]:
        parts.append("market orders fill at the close")
    for name, default in BrokerConfig().model_dump().items():
        if name not in _ALWAYS and broker.get(name) not in (None, default, ()):
            parts.append(_other(name, broker[name]))
    return "broker: " + ", ".join(parts)


def params_lines(summary: Mapping[str, Any]) -> list[str]:
    """The strategy's parameters in a line; none where it has none."""
    told = ", ".join(f"{name} {value}" for name, value in summary["params"].items())
    return [f"parameters: {told}"] if told else []


def _other(name: str, value: object) -> str:
    """A setting that is shown only when it is set; settings of single symbols are shown with their data."""
    if name == "symbols" and isinstance(value, Mapping):
        return f"own settings for {' '.join(value)}"
    if name == "brackets" and isinstance(value, Sequence):
        return f"{len(value)} maintenance bracket{'' if len(value) == 1 else 's'}"
    if name == "entry" and isinstance(value, Mapping):
        bars = f"{value['valid_bars']} bar{'' if value['valid_bars'] == 1 else 's'}"
        return f"{value['kind']} entries {digits(value['offset_percent'])} % from the close, valid {bars}"
    return f"{name} {value}"


def timeframe(seconds: int) -> str:
    """ "1h", "15m", "1w", "1mo"; the largest unit that divides it."""
    return _CALENDAR.get(seconds) or next(
        f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0
    )


def describe_bars(bars: Bars) -> dict[str, Any]:
    """A symbol's bars as a report describes them; times are UTC."""
    return {
        "symbol": bars.symbol,
        "bars": len(bars),
        "timeframe_seconds": bars.timeframe_ns // 1_000_000_000,
        "first_open": str(bars.open_time_ns[:1].astype("datetime64[ns]")[0])[:19],
        "last_open": str(bars.open_time_ns[-1:].astype("datetime64[ns]")[0])[:19],
    }


def _with_source(one: Mapping[str, Any], name: str) -> str:
    source = one.get(f"{name}_source")
    return f"{digits(one[name])} ({source})" if source else f"{digits(one[name])}"


def _minute(stamp: str) -> str:
    return stamp[:16].replace("T", " ") if stamp.endswith(":00") else stamp.replace("T", " ")


def _size(broker: Mapping[str, Any]) -> str:
    return _whole_size(broker) + (", times the signal's strength" if broker.get("size_by_strength") else "")


def _whole_size(broker: Mapping[str, Any]) -> str:
    if broker.get("cash") is not None:
        return f"each entry {digits(broker['cash'])} of cash"
    if broker.get("percent_of_equity") is not None:
        return f"each entry {digits(broker['percent_of_equity'])} % of equity"
    if broker.get("risk_percent") is not None:
        return f"each entry risks {digits(broker['risk_percent'])} % of equity"
    qty = 1.0 if broker.get("qty") is None else broker["qty"]
    return f"each entry {digits(qty)} {'unit' if qty == 1 else 'units'}"


def _fees(broker: Mapping[str, Any]) -> str:
    return f"fees {digits(broker['commission_percent'])} % a side"


def _slippage(broker: Mapping[str, Any]) -> str:
    ticks = broker["slippage_ticks"]
    text = f"slippage {ticks} tick{'' if ticks == 1 else 's'}"
    return f"{text} and {digits(broker['slippage_bps'])} bps" if broker["slippage_bps"] else text
