"""Layout of the flat arrays that the compiled exit rules work on.

* rules, made by `encode`: the fields of `ExitRules` as numbers, nan for what is off, then the partial exits
  as pairs (at_r, fraction) and the rows of `minimal_roi` as pairs (minutes, percent), in ascending order;
* state, made by `new_state`: what is remembered from bar to bar;
* call: what `plan` fills in, and behind it what it reads of the bar beside flags and prices (nan: nothing).
"""

from math import nan

import numpy as np

from engine.compiled.functions import FloatArray
from engine.model.exit_rules import ExitRules

CLOSE, ENTER, PARTIAL = 1, 2, 4
"""Bits of what `plan` returns. A close is executed before an entry."""

CLOSE_TEXT, ENTRY_DIRECTION, ENTRY_TEXT, PARTIAL_FRACTION = 0, 1, 2, 3
"""Of a call: signal text codes, direction 1 or -1, and fraction of the trade's first quantity."""

B_STOP_LONG, B_STOP_SHORT, B_TARGET_LONG, B_TARGET_SHORT, B_LIMIT_LONG, B_LIMIT_SHORT = 4, 5, 6, 7, 8, 9
B_OPEN_SECOND, B_CLOSE_SECOND, B_OPEN_DAY, B_CLOSE_DAY = 10, 11, 12, 13
CALL_SIZE = 14
"""Of a call, the bar's: prices of its signal, when it opened and closed in seconds since 1970, and how often
it had been `exit_time` by then (`clock.days_passed`). Times may be nan where no rule needs them."""

R_STOP, R_TARGET, R_RESTING, R_STOP_R, R_TARGET_R, R_BREAK_EVEN_R, R_TRAILING = 0, 1, 2, 3, 4, 5, 6
R_SIGNAL_EXITS, R_MAX_HOLD, R_STRICT, R_COOLDOWN, R_FLIP, R_FLIP_COOLDOWN = 7, 8, 9, 10, 11, 12
R_ENTRY_BAR, R_DEDUPE, R_PROTECTIVE, R_TRAILING_R, R_TRAILING_OF_BAR = 13, 14, 15, 16, 17
R_TRAILING_AFTER, R_TRAILING_AFTER_R, R_BREAK_EVEN, R_BREAK_EVEN_OFFSET = 18, 19, 20, 21
R_TRAILS, R_BREAKS_EVEN, R_LEVELS_OF_BAR, R_MOVES_BY_BAR, R_TARGET_MOVES, R_TIMES = 22, 23, 24, 25, 26, 27
R_ROI_STEPS, R_FIRST_ROI, R_PARTIALS, R_FIRST_PARTIAL = 28, 29, 30, 31
"""Indices of the encoded rules. Of `R_FIRST_ROI` it is the number there that is an index: the first row's.
`R_TRAILS`, `R_BREAKS_EVEN`, `R_TIMES`: whether any rule of the kind is on. `R_MOVES_BY_BAR`: levels may move
though the best price stays."""

S_COOLDOWN, S_ENTRY_BAR, S_PENDING_BAR, S_LAST_SIZE = 0, 1, 2, 3
S_DIRECTION, S_ENTRY_PRICE, S_R, S_NEXT_R, S_BEST = 4, 5, 6, 7, 8
S_STOP, S_TARGET, S_PROTECTIVE, S_PARTIALS_DONE = 9, 10, 11, 12
S_NEXT_STOP, S_NEXT_TARGET, S_ROI, S_OPENED, S_OPENED_DAY = 13, 14, 15, 16, 17
EARLIER_STATE_SIZE = 13
STATE_SIZE = 18
"""Indices of the state. Earlier versions have saved the first `EARLIER_STATE_SIZE`; new ones come last.

Bars left of the cooldown; bar holding is counted from (nan: none); announced bar (nan: none); position size
at the last evaluation of the lazy change (nan: never); side of the trade the levels belong to (0: flat);
its entry price; its R; R of the last entry ordered; best price since entry; stop, target and protective
levels (nan: none); how many partial exits are done. Stop and target of the signal of the last entry ordered;
price of `minimal_roi` now (nan: none); second and `exit_time`s passed at the open of the first bar that saw
the trade (nan: none has). The signal's stop and target are part of the stop and target levels.
"""

KEEP, SIGNAL_BAR, FILL_BAR, PENDING = 0, 1, 2, 3
_ENTRY_BARS = {"keep": KEEP, "signal_bar": SIGNAL_BAR, "fill_bar": FILL_BAR, "pending": PENDING}


def _number(value: float | None) -> float:
    return nan if value is None else float(value)


def encode(rules: ExitRules) -> FloatArray:
    """The rules as `plan` reads them."""
    partials = sorted(rules.partial_exits, key=lambda partial: partial.at_r)
    roi = sorted(rules.minimal_roi, key=lambda step: step.after_minutes)
    head = [
        _number(rules.stop_loss_percent),
        _number(rules.take_profit_percent),
        float(rules.stop_kind == "resting"),
        _number(rules.stop_r),
        _number(rules.take_profit_r),
        _number(rules.break_even_at_r),
        _number(rules.trailing_percent),
        float(rules.signal_exits),
        _number(rules.max_holding_bars),
        float(rules.max_holding_strict),
        float(rules.cooldown_bars),
        float(rules.allow_flip),
        float(rules.flip_needs_cooldown),
        float(_ENTRY_BARS[rules.entry_bar]),
        float(rules.dedupe_tags),
        _number(rules.protective_stop_percent),
        _number(rules.trailing_r),
        float(rules.trailing_r_of == "bar"),
        _number(rules.trailing_after_percent),
        _number(rules.trailing_after_r),
        _number(rules.break_even_at_percent),
        rules.break_even_offset_percent or 0.0,
        float(rules.trailing_percent is not None or rules.trailing_r is not None),
        float(rules.break_even_at_percent is not None or rules.break_even_at_r is not None),
        float(rules.signal_levels == "bar"),
        float(rules.signal_levels == "bar" or rules.trailing_r_of == "bar"),
        float(rules.signal_levels == "bar" or bool(roi)),
        float(needs_times(rules)),
        float(len(roi)),
        float(R_FIRST_PARTIAL + 2 * len(partials)),
        float(len(partials)),
    ]
    pairs = [number for partial in partials for number in (partial.at_r, partial.fraction)]
    steps = [number for step in roi for number in (step.after_minutes, step.percent)]
    return np.array(head + pairs + steps, dtype=np.float64)


def new_state() -> FloatArray:
    """The state before the first bar: flat, nothing remembered."""
    state = np.full(STATE_SIZE, nan)
    for index in (S_COOLDOWN, S_DIRECTION, S_PARTIALS_DONE):
        state[index] = 0.0
    return state


def new_call() -> FloatArray:
    """A call that says nothing about its bar."""
    return np.full(CALL_SIZE, nan)


def needs_times(rules: ExitRules) -> bool:
    """Whether the rules ask when a bar opened and closed."""
    return bool(rules.minimal_roi) or rules.exit_time is not None
