"""Layout of the flat arrays that the compiled exit rules work on.

* rules, made by `encode`: the fields of `ExitRules` as numbers, nan for what is off, then the partial exits
  as pairs (at_r, fraction) in ascending order;
* state, made by `new_state`: what is remembered from bar to bar;
* actions: what `plan` fills in.
"""

from math import nan

import numpy as np

from engine.compiled.functions import FloatArray
from engine.model.exit_rules import ExitRules

CLOSE, ENTER, PARTIAL = 1, 2, 4
"""Bits of what `plan` returns. A close is executed before an entry."""

CLOSE_TEXT, ENTRY_DIRECTION, ENTRY_TEXT, PARTIAL_FRACTION = 0, 1, 2, 3
ACTIONS_SIZE = 4
"""`actions`: signal text codes, direction 1 or -1, and fraction of the trade's first quantity."""

R_STOP, R_TARGET, R_RESTING, R_STOP_R, R_TARGET_R, R_BREAK_EVEN_R, R_TRAILING = 0, 1, 2, 3, 4, 5, 6
R_SIGNAL_EXITS, R_MAX_HOLD, R_STRICT, R_COOLDOWN, R_FLIP, R_FLIP_COOLDOWN = 7, 8, 9, 10, 11, 12
R_ENTRY_BAR, R_DEDUPE, R_PROTECTIVE, R_PARTIALS, R_FIRST_PARTIAL = 13, 14, 15, 16, 17
"""Indices of the encoded rules."""

S_COOLDOWN, S_ENTRY_BAR, S_PENDING_BAR, S_LAST_SIZE = 0, 1, 2, 3
S_DIRECTION, S_ENTRY_PRICE, S_R, S_NEXT_R, S_BEST = 4, 5, 6, 7, 8
S_STOP, S_TARGET, S_PROTECTIVE, S_PARTIALS_DONE = 9, 10, 11, 12
STATE_SIZE = 13
"""Indices of the state.

Bars left of the cooldown; bar holding is counted from (nan: none); announced bar (nan: none); position size
at the last evaluation of the lazy change (nan: never); side of the trade the levels belong to (0: flat);
its entry price; its R; R of the last entry ordered; best price since entry; stop, target and protective
levels (nan: none); how many partial exits are done.
"""

KEEP, SIGNAL_BAR, FILL_BAR, PENDING = 0, 1, 2, 3
_ENTRY_BARS = {"keep": KEEP, "signal_bar": SIGNAL_BAR, "fill_bar": FILL_BAR, "pending": PENDING}


def _number(value: float | None) -> float:
    return nan if value is None else float(value)


def encode(rules: ExitRules) -> FloatArray:
    """The rules as `plan` reads them."""
    partials = sorted(rules.partial_exits, key=lambda partial: partial.at_r)
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
        float(len(partials)),
    ]
    pairs = [number for partial in partials for number in (partial.at_r, partial.fraction)]
    return np.array(head + pairs, dtype=np.float64)


def new_state() -> FloatArray:
    """The state before the first bar: flat, nothing remembered."""
    state = np.full(STATE_SIZE, nan)
    for index in (S_COOLDOWN, S_DIRECTION, S_PARTIALS_DONE):
        state[index] = 0.0
    return state
