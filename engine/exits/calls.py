"""What exit rules read of each bar beside flags and prices, as calls of `plan` (`layout`)."""

import numpy as np
from numpy.typing import NDArray

from engine.compiled.functions import FloatArray
from engine.exits.clock import days_passed
from engine.exits.layout import (
    B_CLOSE_DAY,
    B_CLOSE_SECOND,
    B_LIMIT_LONG,
    B_LIMIT_SHORT,
    B_OPEN_DAY,
    B_OPEN_SECOND,
    B_STOP_LONG,
    B_STOP_SHORT,
    B_TARGET_LONG,
    B_TARGET_SHORT,
    CALL_SIZE,
    needs_times,
)
from engine.model.bars import Bars
from engine.model.exit_rules import ExitRules
from engine.model.signals import SIGNAL_LEVELS, SignalArrays
from engine.model.timeframes import SECOND_NS

_COLUMNS = {
    "limit_long": B_LIMIT_LONG,
    "limit_short": B_LIMIT_SHORT,
    "stop_long": B_STOP_LONG,
    "stop_short": B_STOP_SHORT,
    "target_long": B_TARGET_LONG,
    "target_short": B_TARGET_SHORT,
}


def calls_of(rules: ExitRules, signals: SignalArrays, bars: Bars) -> FloatArray | None:
    """A call for each bar, None where no bar has anything to say."""
    given = {name: array for name in SIGNAL_LEVELS if (array := getattr(signals, name)) is not None}
    if not given and not needs_times(rules):
        return None
    rows = np.full((len(bars), CALL_SIZE), np.nan)
    for name, array in given.items():
        rows[:, _COLUMNS[name]] = array
    if needs_times(rules):
        write_times(rules, bars.open_time_ns, bars.open_time_ns + bars.timeframe_ns, rows)
    return rows


def write_times(
    rules: ExitRules, open_ns: NDArray[np.int64], close_ns: NDArray[np.int64], rows: FloatArray
) -> None:
    """Write when bars opened and closed into their calls."""
    rows[:, B_OPEN_SECOND] = open_ns / SECOND_NS
    rows[:, B_CLOSE_SECOND] = close_ns / SECOND_NS
    if rules.exit_time is not None:
        rows[:, B_OPEN_DAY] = days_passed(open_ns, rules.exit_time, rules.exit_timezone)
        rows[:, B_CLOSE_DAY] = days_passed(close_ns, rules.exit_time, rules.exit_timezone)
