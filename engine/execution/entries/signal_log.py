"""Every signal goes into the journal with its fate."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import isnan

from engine.execution.entries.recent_signals import RecentSignals
from engine.model import records
from engine.model.context import Clock, Outbox
from engine.model.limits import Verdict
from engine.model.signals import Fate, Signals
from engine.model.timeframes import SECOND_NS
from engine.orders.order_store import Order
from engine.orders.signal_fate import OrderOf, refused_order, settled_signal
from engine.strategies.slot import Decision
from runtime.control.shown import ShowPrice

NO_SIGNALS = Signals(False, False, False, False)
WHY_LINES = 10


class SignalLog:
    """Writes signals down and keeps the newest for whoever asks why."""

    def __init__(self, clock: Clock, out: Outbox) -> None:
        self._clock = clock
        self._out = out
        self.recent = RecentSignals()

    def record(
        self,
        decision: Decision,
        fate: Fate,
        *,
        rule: str = "",
        detail: str = "",
        ids: tuple[str, ...] = (),
        action: str = "",
    ) -> None:
        """One signal and what became of it."""
        signals = decision.signals or NO_SIGNALS
        bar = decision.bar
        values = _known_values(decision, signals)
        record = records.Signal(
            decision.slot.owner,
            decision.slot.symbol,
            bar.timeframe_ns,
            bar.open_time_ns,
            signals.enter_long,
            signals.enter_short,
            signals.exit_long,
            signals.exit_short,
            signals.tag,
            tuple(values.values()),
            fate,
            rule,
            detail,
            ids,
            self._clock.now_ns,
            bar.close,
            action,
            tuple(values),
        )
        self.recent.append(record)
        self._out.append(record)

    def record_orders(
        self, decision: Decision, refusal: Verdict | None, action: str, ids: tuple[str, ...]
    ) -> None:
        """One signal that led to orders; `refusal` is the first there was."""
        if refusal is None:
            self.record(decision, "traded", ids=ids, action=action)
        else:
            self.record_verdict(decision, refusal, action, ids)

    def record_verdict(
        self, decision: Decision, verdict: Verdict, action: str, ids: tuple[str, ...] = ()
    ) -> None:
        """One signal that was refused, or followed only in part."""
        self.record(decision, verdict.fate, rule=verdict.rule, detail=verdict.reason, ids=ids, action=action)

    def why(
        self,
        strategy: str,
        symbol: str,
        order_of: OrderOf,
        outcome_of: Callable[[Order], str],
        price: ShowPrice,
    ) -> str:
        """The last signals with their time, what became of them and of their orders, newest last. Repeats of
        one that led to nothing are counted."""
        chosen = [
            one
            for one in self.recent
            if one.signal.strategy.startswith(strategy) and symbol in {"", one.signal.symbol}
        ]
        lines = []
        for recent in chosen[-WHY_LINES:]:
            one = recent.signal
            refused = refused_order(one, order_of)
            orders = filter(None, map(order_of, one.client_order_ids))
            outcomes = (outcome_of(order) for order in orders if order is not refused)
            line = f"{at_text(one.time_ns)} {signal_line(settled_signal(one, order_of), price)}"
            if recent.times > 1:
                line += f", {recent.times} times since {at_text(recent.since_ns)}"
            lines.append("; ".join((line, *outcomes)))
        return "\n".join(lines) or "no signal yet"


def _known_values(decision: Decision, signals: Signals) -> dict[str, float]:
    """The values behind a signal by the strategy's names for them; those that are na are left out."""
    names = getattr(decision.slot.strategy, "value_names", ())
    if len(names) != len(signals.values):
        names = tuple(f"value {k}" for k in range(1, len(signals.values) + 1))
    return {name: value for name, value in zip(names, signals.values, strict=True) if not isnan(value)}


def at_text(time_ns: int) -> str:
    """Day and time of a signal, UTC."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%m-%d %H:%M:%S}"


def signal_line(signal: records.Signal, price: ShowPrice) -> str:
    """One signal and its fate as a line for a person."""
    at = price(signal.symbol, signal.price)
    words = [f"{signal.strategy} {signal.symbol} {flag_words(signal)} at {at}:"]
    words.append(f"{signal.fate} by {signal.rule}" if signal.rule else signal.fate)
    if signal.action:
        words.append(f"[{signal.action}]")
    if signal.detail:
        words.append(f"({signal.detail})")
    return " ".join(words)


def flag_words(signal: records.Signal) -> str:
    """The flags of a signal in words."""
    flags = (
        ("long", signal.enter_long),
        ("short", signal.enter_short),
        ("exit long", signal.exit_long),
        ("exit short", signal.exit_short),
    )
    return " and ".join(word for word, is_set in flags if is_set) or "no flag"
