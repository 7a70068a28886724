"""An order the exchange once had and no longer knows does not stop trading for ever."""

from decimal import Decimal

from engine.core.engine import Engine
from engine.core.restore import restore
from engine.journal.recovered import Recovered
from engine.model.audit import Notice
from engine.model.records import Adjustment, Audit, Fill, Settled
from engine.orders.order_states import OrderState
from gateways.wire import messages as wire
from tests.support.engine_rig import Exchange, Rig, config, spec

UP = (100, 99, 98, 100, 101)


def protected(exchange: Exchange | None = None) -> Rig:
    return Rig(Engine(config(spec(protective_stop_percent=Decimal(5)))), exchange).up()


def with_a_stop() -> tuple[Rig, str]:
    """A position whose stop rests at the exchange; its client id."""
    rig = protected().prices(*UP)
    (key,) = rig.exchange.orders
    return rig, key


def test_an_accepted_order_that_vanished_is_settled_named_and_replaced() -> None:
    rig, key = with_a_stop()
    del rig.exchange.orders[key]
    rig.down().up()
    fills = len(rig.records(Fill))
    rig.wait(5)
    assert not rig.engine.health.reconciled
    rig.wait(30)
    order = rig.engine.store.get(key)
    assert order is not None
    assert order.state is OrderState.EXPIRED
    assert rig.engine.health.reconciled
    assert [one.client_order_id for one in rig.records(Settled) if one.gone] == [key]
    assert [one.kind for one in rig.records(Audit)] == ["gone_order"]
    assert any(one.severity == "critical" and key in one.text for one in rig.notices(Notice))
    assert len(rig.records(Fill)) == fills
    assert not rig.records(Adjustment)
    (again,) = rig.exchange.orders
    assert again != key


def test_it_is_not_settled_by_a_question_without_a_scan_of_the_history() -> None:
    rig, key = with_a_stop()
    del rig.exchange.orders[key]
    rig.down().up()
    rig.wait(30)
    asked = [one.scan_since_ns for one in rig.sent(wire.QueryOrder) if one.client_order_id == key]
    assert asked[0] == 0
    assert len(asked) > 2
    assert all(since > 0 for since in asked[1:])


def test_an_exchange_that_cannot_be_asked_proves_nothing() -> None:
    rig, key = with_a_stop()
    del rig.exchange.orders[key]
    rig.exchange.on_query = lambda query: [
        wire.Reply(query.request_id, "not_found" if query.scan_since_ns == 0 else "transient")
    ]
    rig.down().up()
    rig.wait(120)
    order = rig.engine.store.get(key)
    assert order is not None
    assert order.state is OrderState.ACCEPTED
    assert not rig.records(Settled)


def test_a_vanished_order_stays_settled_over_a_restart() -> None:
    rig, key = with_a_stop()
    del rig.exchange.orders[key]
    rig.down().up()
    rig.wait(30)
    records = [effect.record for effect in rig.effects if hasattr(effect, "record")]
    engine = Engine(config(spec(protective_stop_percent=Decimal(5))))
    restore(engine, Recovered("aaaaaa", 1, None, tuple(enumerate(records, 1)), 0, (), 9, None, 0))
    order = engine.store.get(key)
    assert order is not None
    assert order.state is OrderState.EXPIRED
