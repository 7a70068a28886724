"""What risk rules say of a strategy's entries: of one that came now, and of the last one."""

from engine.core.parts import Parts
from engine.execution.entries.signal_log import at_text
from engine.model.limits import Verdict
from engine.model.records import Signal
from engine.orders.signal_fate import REJECTED, settled_signal
from engine.strategies.slot import StrategySlot

_DIRECTIONS = {"a long entry": 1, "a short entry": -1}


def entries_of(slot: StrategySlot, engine: Parts) -> str:
    """Whether anything keeps a running strategy from trading while all gates are open, as the end of a
    sentence."""
    vetoes, is_known = _now(slot, engine)
    last = engine.trades.log.recent.last_entry(*slot.key)
    past = "" if last is None else _past(settled_signal(last, engine.store.get), vetoes)
    said = [f"{what} {_by(verdict)}" for what, verdict in vetoes.items()]
    if said or (past and not is_known):
        return f", but {'; '.join(filter(None, (*said, past)))}"
    return f", nothing keeps it from trading now; {past}" if past else ", nothing keeps it from trading"


def _now(slot: StrategySlot, engine: Parts) -> tuple[dict[str, Verdict], bool]:
    """What is vetoed now, each with its verdict; and whether that is all there is to know."""
    vetoes = {
        f"its resting entry {order.signal}".rstrip() + " is": verdict
        for order, verdict in engine.trades.resting.vetoed(*slot.key)
        if not order.reduce_only
    }
    entries = engine.trades.traders[slot.key].entries
    verdicts = {what: entries.verdict_now(direction) for what, direction in _DIRECTIONS.items()}
    known = {what: one for what, one in verdicts.items() if one is not None}
    refused = {what: one for what, one in known.items() if not one.allowed}
    if len(refused) == len(verdicts) and len({one.rule for one in refused.values()}) == 1:
        refused = {"an entry": next(iter(refused.values()))}
    return vetoes | {f"{what} now would be": one for what, one in refused.items()}, len(known) > 0


def _past(last: Signal, vetoes: dict[str, Verdict]) -> str:
    """What became of the last entry, where it was refused."""
    when = at_text(last.time_ns)
    if last.fate == REJECTED:
        return f"its last entry, at {when}, was refused by the exchange ({last.detail})"
    if last.fate != "vetoed":
        return ""
    if last.rule in {one.rule for one in vetoes.values()}:
        return f"so was its last entry, at {when}"
    return f"its last entry, at {when}, was {_by(Verdict(False, last.rule, last.detail))}"


def _by(verdict: Verdict) -> str:
    return f"vetoed by {verdict.rule} ({verdict.reason})"
