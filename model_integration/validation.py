"""Proves a compiled strategy and its vectorised twin equal, signal for signal."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.bars import Bars
from engine.model.signals import SignalArrays
from engine.strategies.base import SignalStrategy
from model_integration.frame import FLAGS, bar_at
from model_integration.vectorized import VectorizedStrategy, twin_of

_VALUES_AGREE = 1e-9
_CUTS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `bar` is the first on which the two sides differ, None when they do not."""

    check: str
    market: str
    bars: int
    signals: int
    bar: int | None = None
    told: str = ""

    @property
    def passed(self) -> bool:
        """No difference."""
        return self.bar is None

    @property
    def sentence(self) -> str:
        """One line about it."""
        if self.passed:
            return f"{self.check} on {self.market}: {self.bars} bars, {self.signals} flags, all equal"
        return f"{self.check} on {self.market}: differs at bar {self.bar} of {self.bars}: {self.told}"


class ValidationTestingSuite:
    """Four checks over any number of markets.

    batch: both over the whole history give the same flags, and values to 1e-9 relative where both have
    one. streaming: the compiled strategy bar by bar is its own batch. live: the twin over its lookback,
    bar by bar, gives the flags of the whole history. no look-ahead: the twin over a shortened history says
    the same about the bars that are left.
    """

    def __init__(self, strategy: SignalStrategy, twin: VectorizedStrategy | None = None) -> None:
        self.strategy = strategy
        self.twin = twin_of(strategy) if twin is None else twin

    def run(self, markets: Iterable[tuple[str, Bars]], live_bars: int = 300) -> list[Finding]:
        """All checks on all markets; `live_bars` is how many bars of each run live, after the lookback."""
        found = []
        for name, bars in markets:
            compiled, vectorised = self.strategy.batch(bars), self.twin.batch(bars)
            found += [
                self._batch(name, bars, compiled, vectorised),
                self._streaming(name, bars, compiled, live_bars),
                self._live(name, bars, compiled, live_bars),
                self._no_look_ahead(name, bars, vectorised),
            ]
        return found

    def assert_equal(self, markets: Iterable[tuple[str, Bars]], live_bars: int = 300) -> None:
        """Raise AssertionError with every finding that is a difference."""
        wrong = [one.sentence for one in self.run(markets, live_bars) if not one.passed]
        if wrong:
            raise AssertionError(f"{self.strategy.name}: " + "; ".join(wrong))

    def _batch(self, market: str, bars: Bars, compiled: SignalArrays, vectorised: SignalArrays) -> Finding:
        for name in FLAGS:
            ours, theirs = getattr(compiled, name), getattr(vectorised, name)
            if not np.array_equal(ours, theirs):
                bar = int(np.argmax(ours != theirs))
                told = f"{name} is {bool(ours[bar])} compiled, {bool(theirs[bar])} vectorised"
                return Finding("batch", market, len(bars), _count(compiled), bar, told)
        for k, name in enumerate(self.strategy.value_names):
            apart = _apart(compiled.values[k], vectorised.values[k], bars)
            if apart.any():
                bar = int(np.argmax(apart))
                ours, theirs = compiled.values[k, bar], vectorised.values[k, bar]
                told = f"{name} is {ours!r} compiled, {theirs!r} vectorised"
                return Finding("batch", market, len(bars), _count(compiled), bar, told)
        return Finding("batch", market, len(bars), _count(compiled))

    def _streaming(self, market: str, bars: Bars, batch: SignalArrays, live_bars: int) -> Finding:
        self.strategy.reset()
        return _compared(
            "streaming", market, self.strategy, bars, batch, 0, self.strategy.warmup_bars + live_bars
        )

    def _live(self, market: str, bars: Bars, batch: SignalArrays, live_bars: int) -> Finding:
        """Begins far enough in that the lookback slides: its first bars are not the history's."""
        self.twin.reset()
        lookback = self.twin.lookback_bars
        first = min(max(len(bars) // 3, lookback), max(0, len(bars) - live_bars))
        self.twin.warm_up(bars.part(max(0, first - lookback), first))
        return _compared("live", market, self.twin, bars, batch, first, live_bars)

    def _no_look_ahead(self, market: str, bars: Bars, whole: SignalArrays) -> Finding:
        for n in _ends(whole):
            part = self.twin.batch(bars.part(0, n))
            for name in FLAGS:
                differs = getattr(part, name) != getattr(whole, name)[:n]
                if differs.any():
                    told = f"{name} changes when later bars are added"
                    bar = int(np.argmax(differs))
                    return Finding("no look-ahead", market, len(bars), _count(whole), bar, told)
        return Finding("no look-ahead", market, len(bars), _count(whole))


def _compared(
    check: str,
    market: str,
    strategy: SignalStrategy,
    bars: Bars,
    batch: SignalArrays,
    first: int,
    count: int,
) -> Finding:
    """Feed bars from `first` on and compare the answers with the batch."""
    last = min(len(bars), first + count)
    signals = 0
    for i in range(first, last):
        said = strategy.on_bar(bar_at(bars, i))
        for name in FLAGS:
            now, expected = getattr(said, name), bool(getattr(batch, name)[i])
            signals += expected
            if now != expected:
                told = f"{name} is {now} {check}, {expected} over the whole history"
                return Finding(check, market, last - first, signals, i, told)
    return Finding(check, market, last - first, signals)


def _apart(ours: NDArray[np.float64], theirs: NDArray[np.float64], bars: Bars) -> NDArray[np.bool_]:
    """Where two columns differ by more than 1e-9 of what they are made of, or only one has a value.

    Values near zero are differences of prices, so a price's own 1e-9 is allowed as well.
    """
    known = np.isfinite(ours) & np.isfinite(theirs)
    scale = np.maximum(np.abs(ours), np.abs(theirs)) + np.minimum(bars.close, 100.0)
    with np.errstate(invalid="ignore"):
        far = np.abs(ours - theirs) > _VALUES_AGREE * scale
    result: NDArray[np.bool_] = np.where(known, far, np.isnan(ours) != np.isnan(theirs))
    return result


def _ends(signals: SignalArrays) -> list[int]:
    """Where to cut a history: just behind bars with a flag, where a look at the next bar must show."""
    flagged = np.flatnonzero(np.any([getattr(signals, name) for name in FLAGS], axis=0))
    if not len(flagged):
        return []
    chosen = flagged[np.linspace(0, len(flagged) - 1, min(_CUTS, len(flagged))).astype(np.int64)]
    return [int(bar) + 1 for bar in np.unique(chosen)]


def _count(signals: SignalArrays) -> int:
    return int(sum(getattr(signals, name).sum() for name in FLAGS))
