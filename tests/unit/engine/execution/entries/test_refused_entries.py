"""An entry that the exchange refuses bar after bar is tried ever less often, and that is told once."""

from decimal import Decimal
from itertools import pairwise

from engine.core.engine import Engine
from engine.model.audit import Notice
from engine.model.bars import Bar
from engine.model.events import Command
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.signals import Signals
from engine.model.timeframes import SECOND_NS
from engine.risk.manager import RiskManager
from engine.risk.rules.refused_entries import RefusedEntries
from engine.strategies.library.ema_cross import EMACrossStrategy
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.support.order_events import intent
from tests.support.risk_facts import risk_context

D = Decimal
MARGIN = (-2019, "Margin is insufficient.")


WINDOWS = {"fast": 2, "slow": 3}


class Insistent(EMACrossStrategy):
    """Wants to be long on every bar."""

    def on_bar(self, bar: Bar) -> Signals:
        super().on_bar(bar)
        return Signals(True, False, False, False)


def refused_each_bar(bars: int) -> Rig:
    rig = Rig(Engine(config(spec(EMACrossStrategy.name, params=WINDOWS))))
    rig.engine.strategies.slots[0].strategy = Insistent(**WINDOWS)
    rig.up()
    rig.exchange.on_submit = lambda order: [wire.Reply(order.request_id, "refused", *MARGIN)]
    return on(rig, rig.engine.strategies.slots[0].warm_left + bars)


def on(rig: Rig, bars: int) -> Rig:
    """That many bars go by."""
    start = (rig.now_ns - START_NS) // SECOND_NS
    return rig.prices(*[100] * bars, start=start)


def told(rig: Rig) -> list[str]:
    return [one.text for one in rig.notices(Notice) if isinstance(one, Notice) and "refuses its" in one.text]


def entries(rig: Rig) -> list[int]:
    """Seconds at which an entry left."""
    signals = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    return [one.time_ns // SECOND_NS for one in signals if one.client_order_ids]


def test_it_backs_off_up_to_32_bars_and_is_told_once() -> None:
    rig = refused_each_bar(300)
    gaps = [later - earlier for earlier, later in pairwise(entries(rig))]
    assert gaps[:6] == [1, 2, 4, 8, 16, 32]
    assert set(gaps[6:]) == {32}
    (text,) = told(rig)
    assert text == (
        "ema_cross:s1 on BTCUSDT: the exchange refuses its entries (-2019 Margin is insufficient.); "
        "retries become less frequent until one is accepted"
    )


def test_each_signal_between_says_why_it_waits() -> None:
    signals = [one for one in refused_each_bar(12).records(Signal) if isinstance(one, Signal)]
    waiting = [one for one in signals if one.rule == "refused_entries"]
    assert waiting[0].fate == "vetoed"
    assert waiting[0].detail == (
        "the exchange has refused 2 entries in a row (-2019 Margin is insufficient.); the next waits"
    )


def test_an_entry_that_is_taken_ends_it() -> None:
    rig = refused_each_bar(40)
    rig.exchange.on_submit = lambda _: None
    on(rig, 40)
    assert rig.exchange.position == D("0.1")
    assert not rig.engine.risk.validate_order(
        intent(strategy="ema_cross:s1"), risk_context(now_ns=rig.now_ns)
    ).rule


def test_resume_tries_at_once() -> None:
    rig = refused_each_bar(40)
    before = len(entries(rig))
    rig.feed(Command(rig.now_ns, "r1", "resume"))
    assert len(entries(on(rig, 3))) > before


def test_an_exit_never_waits_for_refused_entries() -> None:
    manager = RiskManager(RiskLimits(), {"sma:s1": SECOND_NS})
    rule = RefusedEntries({"sma:s1": SECOND_NS})
    for _ in range(4):
        rule.note_refused(intent(), "no", 1_000)
        manager._refused.note_refused(intent(), "no", 1_000)
    assert manager.validate_order(intent(), risk_context()).rule == "refused_entries"
    assert manager.validate_order(intent(side="SELL", reduce_only=True), risk_context()).allowed


def test_another_strategy_and_another_symbol_do_not_wait() -> None:
    rule = RefusedEntries({"sma:s1": SECOND_NS})
    for _ in range(4):
        rule.note_refused(intent(), "no", 1_000)
    assert rule.check(intent(), risk_context())
    assert not rule.check(intent(strategy="other"), risk_context())
    assert not rule.check(intent(symbol="ETHUSDT"), risk_context())


def test_after_the_clock_was_set_back_they_are_tried_at_once() -> None:
    rule = RefusedEntries({"sma:s1": SECOND_NS})
    for _ in range(4):
        rule.note_refused(intent(), "no", 90 * SECOND_NS)
    rule.on_set_back(1_000)
    assert not rule.check(intent(), risk_context(now_ns=1_000))
