"""Signals that lead to nothing, again and again, do not drown those that did something."""

import msgspec

from engine.core.restore import snapshot_of
from engine.execution.entries.recent_signals import RECENT_SIGNALS, RecentSignals
from engine.model.records import Signal
from engine.shell.status import StatusKeeper
from gateways.wire.cursor import Cursor
from runtime.control.status_tables import signals
from tests.support.engine_rig import START_NS, Rig
from tests.unit.engine.core.test_engine_restarts import UP
from tests.unit.engine.core.test_why import why

SECOND_NS = 10**9


def ignored(rig: Rig, count: int) -> None:
    """As a strategy says each second that it would leave what it does not hold."""
    (traded,) = rig.records(Signal)
    assert isinstance(traded, Signal)
    for number in range(count):
        rig.engine.trades.log.recent.append(
            msgspec.structs.replace(
                traded,
                fate="ignored",
                detail="nothing to do while short",
                client_order_ids=(),
                action="",
                enter_long=False,
                exit_long=True,
                time_ns=START_NS + number * SECOND_NS,
            )
        )


def test_repeats_are_one_row_with_their_number_and_a_trade_stays_in_sight() -> None:
    rig = Rig().up().prices(*UP)
    ignored(rig, 3 * RECENT_SIGNALS)
    lines = why(rig).splitlines()
    assert len(lines) == 2
    assert "traded [Long Entry]" in lines[0]
    assert lines[1].endswith("ignored (nothing to do while short), 600 times since 11-14 22:13:20")
    status = StatusKeeper(rig.engine).status(rig.now_ns)
    assert [(one.fate, one.times) for one in status.recent_signals] == [("traded", 1), ("ignored", 600)]
    assert list(signals(status, 6, 160).columns[4].cells) == ["traded", "ignored, 600 times"]
    assert snapshot_of(rig.engine, Cursor(1, 7))


def test_what_differs_for_a_person_is_not_folded_and_the_number_kept_is_bounded() -> None:
    rig = Rig().up().prices(*UP)
    (traded,) = rig.records(Signal)
    assert isinstance(traded, Signal)
    recent = RecentSignals()
    recent.extend([traded, traded])
    plain = msgspec.structs.replace(traded, fate="vetoed", rule="leverage", client_order_ids=())
    recent.extend([plain, msgspec.structs.replace(plain, rule="paused"), plain])
    assert [(one.signal.rule, one.times) for one in recent] == [
        ("", 1),
        ("", 1),
        ("paused", 1),
        ("leverage", 2),
    ]
    recent.extend([traded] * (2 * RECENT_SIGNALS))
    assert len(list(recent)) == RECENT_SIGNALS
