"""What is said after the end of a run."""

from decimal import Decimal
from typing import Any

from runtime.control.shown import counted, money, quantity
from runtime.control.status import EngineStatus
from runtime.settings import Settings

_RESTS = frozenset({"ACCEPTED", "PARTIALLY_FILLED"})
"""States of an order that the exchange has confirmed; of any other it is not known where it is."""


def closing_line(environment: str, numbers: dict[str, Any], as_of: str = "") -> str:
    """One sentence with the run's numbers, and of when they are where that is not the end."""
    names = ("candle", "signal", "order", "fill", "reject", "restart")
    counts = ", ".join(counted(numbers[f"{name}s"], name) for name in names)
    wallet = numbers["wallet_balance"]
    shown = "unknown" if wallet is None else money(repr(wallet))
    dated = f" ({as_of}, which could not write since)" if as_of else ""
    return f"{environment} ran {numbers['seconds']:.0f} s: {counts}, wallet {shown}{dated}"


def left_open(
    settings: Settings, status: EngineStatus, numbers: dict[str, Any], as_of: str = ""
) -> list[str]:
    """What goes on without us: positions and resting orders, and whether the next run starts paused.

    `as_of`: all of it may have changed since; then the exchange alone knows.
    """
    held = {
        symbol: quantity(format(Decimal(repr(qty)), "f"))
        for symbol, qty in sorted(numbers["positions"].items())
    }
    if as_of:
        known = ", ".join(f"{symbol} {qty}" for symbol, qty in held.items()) or "none"
        return [f"positions {as_of}: {known}; look at the exchange for what is open now"]
    said = [
        f"position {symbol} {qty} stays open; it is kept, also at the exchange"
        for symbol, qty in held.items()
    ]
    resting = [one for one in status.open_orders if one.state in _RESTS]
    if resting:
        verb = "stays" if len(resting) == 1 else "stay"
        said.append(f"{counted(len(resting), 'open order')} {verb} at the exchange")
    said += [
        f"whether the {one.symbol} {one.side} {one.order_type} order {one.client_order_id} has reached the "
        "exchange is not known: look there, or start again"
        for one in status.open_orders
        if one.state not in _RESTS
    ]
    if status.unanswered:
        said.append(f"at the end the exchange could not answer: {status.unanswered}")
    undo = f"to undo it, after the next start: python -m engine.ctl --env {settings.environment} resume"
    if status.killed:
        said.append(f"it was killed and enters nothing in the next run either; {undo}")
    elif status.paused:
        said.append(f"it is paused and enters nothing in the next run either; {undo}")
    elif status.paused_strategies:
        said.append(f"paused, in the next run too: {', '.join(status.paused_strategies)}; {undo}")
    return said
