"""What a strategy does now, and what keeps it from trading, in words."""

from collections.abc import Iterable
from decimal import Decimal

from engine.core.parts import Parts
from engine.core.vetoes import entries_of
from engine.model.timeframes import utc_text
from engine.strategies.graph import Strategy
from engine.strategies.slot import SlotState, StrategySlot

_LONGEST_REASON = 1_000
"""Characters; people read it on a telephone, too."""
_WORDS = {
    SlotState.WAITING: "waiting for the first reconciliation with the exchange",
    SlotState.FETCHING: "fetching its history from the exchange",
}


def may_enter(slot: StrategySlot) -> bool:
    """Whether its own state allows entries; gates that block all entries do not count."""
    return slot.state is SlotState.RUNNING and not slot.paused and slot.leaving is None


def state_of(slot: StrategySlot, held_base: Decimal) -> str:
    """The strategy's state, given its position: "running", "warming up 12/392 bars", "failed: why"."""
    if slot.state is SlotState.FAILED:
        return f"failed: {slot.reason}" if slot.reason else "failed"
    if slot.leaving is not None:
        what = "is closing its position" if held_base else "flat"
        return f"{what}; {'paused by flatten' if slot.paused else 'killed'} until resume"
    if slot.state is SlotState.WARMING:
        done = max(0, slot.warmup_bars - max(0, slot.warm_left))
        text = f"warming up {done}/{slot.warmup_bars} bars"
        return f"{text}, paused until resume" if slot.paused else text
    if slot.paused:
        return "paused until resume"
    text = _WORDS.get(slot.state, slot.state.value)
    return f"{text}: {slot.reason}" if slot.state is SlotState.STOPPED and slot.reason else text


def reasons_of(slot: StrategySlot) -> list[str]:
    """Its conditions on its last bar with their numbers, a line each; none where it is no graph of series."""
    if not isinstance(slot.strategy, Strategy):
        return []
    reasons = slot.strategy.reasons()
    if not reasons:
        return []
    at = utc_text(slot.fed_open_ns.get(slot.inputs[0], 0))
    return [f"  bar of {at}:", *(f"    {_cut(f'{flag} {why}')}" for flag, why in reasons.items())]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."


def standing(slots: Iterable[StrategySlot], engine: Parts) -> list[str]:
    """A line for each strategy: its state, and what blocks entries on its symbol now."""
    lines = []
    left: dict[str, list[str]] = {}
    for owner, position in engine.ownership.orphans():
        left.setdefault(position.symbol, []).append(owner)
    for slot in slots:
        blockers = [*engine.health.blockers(slot.symbol)]
        state = state_of(slot, engine.account.strategy_position(slot.owner, slot.symbol).qty_base)
        if slot.symbol in left:
            blockers.append(f"those against the position that {', '.join(left[slot.symbol])} left behind")
        if blockers:
            state += f"; entries wait: {'; '.join(blockers)}"
        elif slot.state is SlotState.RUNNING and not slot.paused:
            state += entries_of(slot, engine)
        elif slot.state is SlotState.WARMING and not slot.paused:
            state += ", nothing else is in the way"
        lines.append(f"{slot.owner} on {slot.symbol}: {state}")
    return lines
