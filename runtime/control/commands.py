"""Commands of a person to the engine: one name for each, and what it touches.

`run.py` reads this before packages are installed: it needs only the standard library.
"""

from typing import Literal, get_args

CommandName = Literal["pause", "resume", "flatten", "kill", "cancel", "cancel_all", "why", "rebuild"]
EarlierName = Literal["close_orders"]
"""Still accepted from clients, and found in journals of earlier versions."""

_NOW: dict[str, CommandName] = {
    **{name: name for name in get_args(CommandName)},
    "close_orders": "cancel_all",
}

TOUCHES: dict[CommandName, str] = {
    "pause": "Enter nothing new and cancel resting entries. Positions, stops and targets stay.",
    "resume": "Undo pause and flatten; without a strategy or symbol also undo kill.",
    "flatten": "Close the strategies' positions at market and pause the strategies. Their entries, stops and "
    "targets are cancelled; positions and orders of others stay. --strategy may also name one that is no "
    "longer configured.",
    "kill": "Cancel every order and close every position, also those of others; no entries until resume. "
    "A strategy's stop is cancelled when its position is closed; only closing orders are placed after that.",
    "cancel": "Cancel one order, no matter who sent it. A strategy's stop or target is refused: it would be "
    "placed again at once.",
    "cancel_all": "Cancel resting entries. Stops, targets, positions and orders of others stay.",
    "rebuild": "Give orders and positions whose records the journal has lost back to their strategies, by "
    "the exchange's history; their resting orders are placed again. Then entries are possible again.",
    "why": "What each strategy does now and what keeps it from trading; then the last signals, what happened "
    "to them and to their orders, and why. Times are UTC.",
}
"""What each command touches, for its help."""


def command_named(word: str) -> CommandName | None:
    """The command that a person or a client calls by this word; None where there is none.

    A dash counts as an underscore: `cancel-all` on the terminal is `/cancel_all` in a chat.
    """
    return _NOW.get(word.replace("-", "_"))
