"""The newest signals; repeated signals without an order are counted instead of listed."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import msgspec

from engine.model.records import Signal

RECENT_SIGNALS = 200
_DECIDED = frozenset({"traded", "vetoed", "rejected"})


class Recent(msgspec.Struct):
    """A signal, how often it was repeated, and when it first came."""

    signal: Signal
    times: int
    since_ns: int


class RecentSignals:
    """Oldest first, by the newest repetition. A signal that led to an order is listed by itself."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Recent] = OrderedDict()
        self._count = 0

    def append(self, signal: Signal) -> None:
        """A new one."""
        self._count += 1
        key = (self._count,) if signal.client_order_ids or signal.fate == "traded" else _key(signal)
        before = self._kept.pop(key, None)
        times, since_ns = (1, signal.time_ns) if before is None else (before.times + 1, before.since_ns)
        self._kept[key] = Recent(signal, times, since_ns)
        if len(self._kept) > RECENT_SIGNALS:
            self._kept.popitem(last=False)

    def extend(self, signals: Iterable[Signal]) -> None:
        """Several, oldest first."""
        for signal in signals:
            self.append(signal)

    def last_entry(self, strategy: str, symbol: str) -> Signal | None:
        """The newest signal of an entry that was decided on: traded, or refused by a rule. A script says no
        direction; what it decided last counts."""
        for recent in reversed(self._kept.values()):
            one = recent.signal
            is_exit = (one.exit_long or one.exit_short) and not (one.enter_long or one.enter_short)
            if (one.strategy, one.symbol) == (strategy, symbol) and one.fate in _DECIDED and not is_exit:
                return one
        return None

    def __iter__(self) -> Iterator[Recent]:
        return iter(self._kept.values())


def _key(one: Signal) -> tuple[object, ...]:
    """Signals with the same key are repetitions: same strategy, symbol, flags and outcome."""
    flags = (one.enter_long, one.enter_short, one.exit_long, one.exit_short)
    return (one.strategy, one.symbol, *flags, one.fate, one.rule, one.action)
