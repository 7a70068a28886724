"""Which of Pine's verbs a script may use live."""

from engine.strategies.base import ScriptStrategy
from engine.strategies.slot import StrategyRefused, StrategySlot

LIVE_VERBS = frozenset(
    {
        "entry",
        "entry.limit",
        "entry.stop",
        "exit",
        "exit.limit",
        "exit.stop",
        "exit.profit",
        "exit.loss",
        "close",
        "close_all",
        "cancel",
        "cancel_all",
    }
)


def refuse_verbs(slot: StrategySlot, *, shared: bool) -> None:
    """`StrategyRefused` when the script uses what the live broker cannot place."""
    if not isinstance(slot.strategy, ScriptStrategy):
        return
    where = f"{slot.spec.key}: " if slot.spec.key else ""
    verbs = slot.strategy.verbs
    unknown = sorted(verbs - LIVE_VERBS)
    if unknown:
        raise StrategyRefused(
            f"{where}strategy {slot.owner} uses {', '.join(unknown)}, which cannot be placed live"
        )
    resting = sorted(verb for verb in verbs if verb.startswith(("exit", "entry.")))
    if shared and resting:
        raise StrategyRefused(where + not_shared(slot, resting[0]))


def not_shared(slot: StrategySlot, verb: str) -> str:
    """Why that verb cannot be used on a symbol that others trade too."""
    return f"strategy {slot.owner} uses {verb} on {slot.symbol}, which other strategies trade too"
