"""Commands of a person to the engine: for each its name, what it touches and what it can be narrowed to.

The terminal, the chat and the control socket take them from here; `engine/core/commands.py: Commands` carries
them out. `run.py` reads this before packages are installed: it needs only the standard library.
"""

from dataclasses import dataclass
from typing import Literal, get_args

CommandName = Literal["pause", "resume", "flatten", "kill", "cancel", "cancel_all", "why", "rebuild"]
EarlierName = Literal["close_orders"]
"""Still accepted from clients, and found in journals of earlier versions."""

ONLY_STRATEGY, ONLY_SYMBOL = "only this strategy", "only this symbol"


@dataclass(frozen=True)
class About:
    """What a command does, and what it takes: the help of each argument, "" where it takes none.

    `touches` says what it touches, for its help. A question changes nothing and is not journalled. A command
    for one order needs the order's id, which nobody types in a chat.
    """

    touches: str
    strategy: str = ""
    symbol: str = ""
    order: str = ""
    is_question: bool = False


COMMANDS: dict[CommandName, About] = {
    "pause": About(
        "Enter nothing new and cancel resting entries. Positions, stops and targets stay.",
        ONLY_STRATEGY,
        ONLY_SYMBOL,
    ),
    "resume": About(
        "Undo pause and flatten; without a strategy or symbol also undo kill.", ONLY_STRATEGY, ONLY_SYMBOL
    ),
    "flatten": About(
        "Close the strategies' positions at market and pause the strategies. Their entries, stops and "
        "targets are cancelled; positions and orders of others stay. --strategy may also name one that is no "
        "longer configured.",
        ONLY_STRATEGY,
        ONLY_SYMBOL,
    ),
    "kill": About(
        "Cancel every order and close every position, also those of others; no entries until resume. A "
        "strategy's stop is cancelled when its position is closed; only closing orders are placed after "
        "that.",
        symbol="cancel and close only this symbol; entries stop everywhere",
    ),
    "cancel": About(
        "Cancel one order, no matter who sent it. A strategy's stop or target is refused: it would be "
        "placed again at once.",
        order="id of an open order, as `status` shows it",
    ),
    "cancel_all": About(
        "Cancel resting entries. Stops, targets, positions and orders of others stay.", symbol=ONLY_SYMBOL
    ),
    "rebuild": About(
        "Give orders and positions whose records the journal has lost back to their strategies, by "
        "the exchange's history; their resting orders are placed again. Then entries are possible again.",
    ),
    "why": About(
        "What each strategy does now, what keeps it from trading and its conditions on its last bar with "
        "their numbers; then the last signals, what happened to them and to their orders, and why. Times "
        "are UTC.",
        ONLY_STRATEGY,
        ONLY_SYMBOL,
        is_question=True,
    ),
}

_NOW: dict[str, CommandName] = {
    **{name: name for name in get_args(CommandName)},
    "close_orders": "cancel_all",
}


def command_named(word: str) -> CommandName | None:
    """The command that a person or a client calls by this word; None where there is none.

    A dash counts as an underscore: `cancel-all` on the terminal is `/cancel_all` in a chat.
    """
    return _NOW.get(word.replace("-", "_"))
