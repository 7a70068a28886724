"""A tick becomes a candle, a signal, an order, a fill, a position; and all of it is written down."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from engine.model.audit import CandleClosed, PositionChanged, Ready
from engine.model.effects import Append, Effect, Send
from engine.model.events import Timer
from engine.model.records import Fill, Intent, Signal
from gateways.wire.messages import SubmitOrder
from tests.support.engine_rig import Rig

WAVE = (100, 101, 102, 103, 104, 103, 102, 101, 100, 101, 102, 103, 104)


def places_an_order(effects: Sequence[Effect]) -> bool:
    return any(isinstance(effect, Send) and isinstance(effect.message, SubmitOrder) for effect in effects)


def test_a_turn_of_the_average_becomes_a_position():
    rig = Rig().up().prices(*WAVE[:8])
    (signal,) = rig.records(Signal)
    (order,) = rig.sent(SubmitOrder)
    (fill,) = rig.records(Fill)
    assert (signal.enter_short, signal.fate, signal.client_order_ids) == (
        True,
        "traded",
        (order.client_order_id,),
    )
    assert (order.side, order.order_type, order.qty_base) == ("SELL", "MARKET", Decimal("0.100"))
    assert (fill.price, fill.qty_base, fill.strategy) == (Decimal(101), Decimal("0.100"), signal.strategy)
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position == Decimal("-0.1")
    assert len(rig.notices(Ready)) == 1
    assert len(rig.notices(CandleClosed)) == 7
    assert rig.notices(PositionChanged)[-1].qty_base == Decimal("-0.1")


def test_a_flip_closes_reduce_only_and_enters_when_the_close_has_filled():
    rig = Rig().up().prices(*WAVE)
    entry, close, reversal = rig.sent(SubmitOrder)
    assert (close.side, close.reduce_only, close.is_exit) == ("BUY", True, True)
    assert (reversal.side, reversal.reduce_only, reversal.is_exit) == ("BUY", False, False)
    assert close.caused_by_receive_ns > 0
    assert reversal.caused_by_receive_ns == 0
    assert rig.engine.account.position("BTCUSDT").qty_base == rig.exchange.position == Decimal("0.1")
    assert entry.client_order_id != close.client_order_id != reversal.client_order_id


def test_the_intent_of_every_order_comes_before_it():
    rig = Rig().up().prices(*WAVE, *WAVE, start=0)
    intended = set()
    for effect in rig.effects:
        if isinstance(effect, Append) and isinstance(effect.record, Intent):
            intended.add(effect.record.client_order_id)
        if isinstance(effect, Send) and isinstance(effect.message, SubmitOrder):
            assert effect.message.client_order_id in intended


def test_the_same_events_give_the_same_effects_to_the_byte():
    rig = Rig().up().prices(*WAVE)
    again = Rig()
    effects = [effect for event in rig.events for effect in again.engine.process(event)]
    assert msgspec.msgpack.encode(effects) == msgspec.msgpack.encode(rig.effects)


def test_deciding_ends_with_the_order_and_finishing_brings_the_rest_in_the_order_of_the_whole():
    rig = Rig().up().prices(*WAVE)
    again = Rig().engine
    whole, with_orders = [], 0
    for event in rig.events:
        decided = again.decide(event)
        rest = again.finish()
        assert again.finish() == ()
        whole += [*decided, *rest]
        if any(isinstance(effect, Append) and isinstance(effect.record, Signal) for effect in rest):
            with_orders += 1
            assert places_an_order(decided)
    assert with_orders == 2
    assert msgspec.msgpack.encode(whole) == msgspec.msgpack.encode(rig.effects)


def test_an_event_is_not_decided_on_before_the_one_before_it_is_finished():
    rig = Rig().up().prices(*WAVE)
    again = Rig().engine
    for event in rig.events:
        decided = again.decide(event)
        if places_an_order(decided):
            break
        again.finish()
    with pytest.raises(RuntimeError, match="has not been finished"):
        again.decide(Timer(rig.now_ns))
