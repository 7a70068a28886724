"""What a strategy does now, and what keeps it from trading, in words."""

from collections.abc import Iterable

from engine.core.health import Health
from engine.strategies.slot import SlotState, StrategySlot

_WORDS = {
    SlotState.WAITING: "waits for the first comparison with the exchange",
    SlotState.FETCHING: "fetches its history from the exchange",
}


def state_of(slot: StrategySlot) -> str:
    """What the strategy does now: "running", "warming up 12/392 bars", "failed: why"."""
    if slot.state is SlotState.FAILED:
        return f"failed: {slot.reason}" if slot.reason else "failed"
    if slot.leaving:
        return "leaves its position, paused until resume"
    if slot.state is SlotState.WARMING:
        done = max(0, slot.warmup_bars - max(0, slot.warm_left))
        text = f"warming up {done}/{slot.warmup_bars} bars"
        return f"{text}, paused until resume" if slot.paused else text
    if slot.paused:
        return "paused until resume"
    text = _WORDS.get(slot.state, slot.state.value)
    return f"{text}: {slot.reason}" if slot.state is SlotState.STOPPED and slot.reason else text


def standing(slots: Iterable[StrategySlot], health: Health) -> list[str]:
    """A line for each strategy: its state, and what keeps entries of its symbol out now."""
    lines = []
    for slot in slots:
        blockers = health.blockers(slot.symbol)
        state = state_of(slot)
        if blockers:
            state += f"; entries wait: {'; '.join(blockers)}"
        elif slot.state is SlotState.RUNNING and not slot.paused:
            state += ", nothing keeps it from trading"
        elif slot.state is SlotState.WARMING and not slot.paused:
            state += ", nothing else is in the way"
        lines.append(f"{slot.owner} on {slot.symbol}: {state}")
    return lines
