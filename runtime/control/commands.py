"""Commands of a person to the engine: one name for each, and what it touches."""

from typing import Literal

CommandName = Literal["pause", "resume", "flatten", "kill", "cancel", "why", "close_orders", "rebuild"]

TOUCHES: dict[CommandName, str] = {
    "pause": "Enter nothing new and cancel entries that rest; positions, their stops and targets stay.",
    "resume": "Undo pause and flatten; without a strategy or symbol also undo kill.",
    "flatten": "Leave the strategies' positions at market and pause them; their entries, stops and targets "
    "go. What others hold and their orders stay. --strategy may also name one that is no longer configured.",
    "kill": "Cancel every order and leave every position, those of others too; enter nothing until resume. "
    "A strategy's stop goes when its position is left; nothing but the leaving is placed after it.",
    "cancel": "Cancel one order, whoever sent it; a strategy's stop or target is refused: it would come "
    "back.",
    "close_orders": "Cancel the entries that rest; stops, targets, positions and orders of others stay.",
    "rebuild": "Give orders and positions whose records the journal has lost back to their strategies, as "
    "the exchange's history has them; what rests of them is placed again. Then entries are possible again.",
    "why": "What each strategy does now and what keeps it from trading; then the last signals, what became "
    "of them and of their orders, and why. Times are UTC.",
}
"""What each command touches, for its help."""
