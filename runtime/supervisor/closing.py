"""The sentences at the end of a run."""

from decimal import Decimal
from typing import Any

from runtime.control.shown import counted, money, quantity
from runtime.control.status import EngineStatus
from runtime.settings import Settings

_RESTS = frozenset({"ACCEPTED", "PARTIALLY_FILLED"})
"""Order states that the exchange has confirmed; an order in any other may be there or not."""


def closing_line(environment: str, numbers: dict[str, Any], as_of: str = "") -> str:
    """One sentence with the run's numbers; `as_of` is their time, if not the end of the run."""
    names = ("candle", "signal", "order", "fill", "reject", "restart")
    counts = ", ".join(counted(numbers[f"{name}s"], name) for name in names)
    wallet = numbers["wallet_balance"]
    shown = "unknown" if wallet is None else money(repr(wallet))
    dated = f" ({as_of}, it could not write after that)" if as_of else ""
    return f"{environment} ran {numbers['seconds']:.0f} s: {counts}, wallet {shown}{dated}"


def left_open(
    settings: Settings, status: EngineStatus, numbers: dict[str, Any], as_of: str = ""
) -> list[str]:
    """What stays at the exchange: positions and resting orders; and whether the next run starts paused.

    With `as_of` all of this may have changed since: only the exchange knows.
    """
    held = {
        symbol: quantity(format(Decimal(repr(qty)), "f"))
        for symbol, qty in sorted(numbers["positions"].items())
    }
    if as_of:
        known = ", ".join(f"{symbol} {qty}" for symbol, qty in held.items()) or "none"
        return [f"positions {as_of}: {known}; check the exchange for what is open now"]
    said = [
        f"position {symbol} {qty} stays open at the exchange and is kept for the next run"
        for symbol, qty in held.items()
    ]
    resting = [one for one in status.open_orders if one.state in _RESTS]
    if resting:
        verb = "stays" if len(resting) == 1 else "stay"
        said.append(f"{counted(len(resting), 'open order')} {verb} at the exchange")
    said += [
        f"it is not known whether the {one.symbol} {one.side} {one.order_type} order {one.client_order_id} "
        "has reached the exchange: check there, or start again"
        for one in status.open_orders
        if one.state not in _RESTS
    ]
    if status.unanswered:
        said.append(f"at the end the exchange did not answer: {status.unanswered}")
    undo = f"to undo it, after the next start: python -m engine.ctl --env {settings.environment} resume"
    if status.killed:
        said.append(f"it was killed and makes no entries in the next run either; {undo}")
    elif status.paused:
        said.append(f"it is paused and makes no entries in the next run either; {undo}")
    elif status.paused_strategies:
        said.append(f"paused, in the next run too: {', '.join(status.paused_strategies)}; {undo}")
    said += [
        f"{one.strategy} on {one.symbol} is still {one.state}: it enters only after that"
        for one in status.strategies
        if one.state.startswith("warming up")
    ]
    return said
