"""Whatever goes wrong, in whatever order: orders are never doubled, and a healed world is agreed upon."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.engine import Engine
from engine.core.restore import restore, snapshot_of
from engine.journal.recovered import Recovered
from engine.model.effects import Append, Send
from engine.model.events import Command, Event
from engine.model.records import Intent
from gateways.wire import messages as wire
from gateways.wire.cursor import Cursor
from tests.support.engine_rig import Exchange, Rig, config, spec

ZERO = Decimal(0)
SPEC = {"protective_stop_percent": Decimal(5)}

moves = st.lists(
    st.sampled_from(
        ["up", "up", "down", "down", "flat", "cut", "link", "gap", "stale", "fresh", "wait", "manual", "die"]
    ),
    min_size=10,
    max_size=60,
)
answers = st.lists(
    st.sampled_from(
        ["ok", "ok", "ok", "lost", "unknown_done", "unknown_not", "refused", "transient", "late"]
    ),
    min_size=1,
    max_size=20,
)
SILENT_MOVES = [
    *("up", "up", "down", "down", "wait", "manual", "cut", "link", "die", "die_rotated"),
    *("hidden", "vanish", "flatten", "kill", "resume"),
]
silent_moves = st.lists(st.sampled_from(SILENT_MOVES), min_size=5, max_size=40)
silent_answers = st.lists(
    st.sampled_from(["ok", "ok", "deaf", "lost", "unknown_done", "late"]), min_size=1, max_size=20
)


class World:
    """A rig whose exchange misbehaves as told, and whose engine may die and come back."""

    def __init__(self, how: list[str]) -> None:
        self.how = how
        self.turn = 0
        self.late: list[Event] = []
        self.ids: list[str] = []
        self.exchange = Exchange()
        self.exchange.on_submit = self.answer
        self.rig = Rig(Engine(config(spec(**SPEC))), self.exchange).up()
        self.price = 100.0
        self.second = 0
        self.commands = 0
        self.is_leaving = False

    def answer(self, order: wire.SubmitOrder) -> list[Event] | None:
        assert order.client_order_id not in self.ids, "sent twice"
        self.ids.append(order.client_order_id)
        if order.reduce_only and order.order_type == "MARKET":
            against = self.exchange.position * (1 if order.side == "SELL" else -1)
            if against < order.qty_base:
                return [wire.Reply(order.request_id, "refused", -2022, "ReduceOnly Order is rejected.")]
        what = self.how[self.turn % len(self.how)]
        self.turn += 1
        if what == "refused":
            return [wire.Reply(order.request_id, "refused", -2019, "Margin is insufficient.")]
        if what == "transient":
            return [wire.Reply(order.request_id, "transient", -1008, "overload")]
        if what == "unknown_not":
            return [wire.Reply(order.request_id, "unknown", -1007, "timeout")]
        if what == "lost":
            return []
        done = self.exchange.execute(order)
        if what == "deaf":
            return done[:1]
        if what == "unknown_done":
            return [wire.Reply(order.request_id, "unknown", -1007, "timeout")]
        if what == "late":
            self.late.extend(done)
            return []
        return done

    def do(self, move: str) -> None:
        rig = self.rig
        if move in {"up", "down", "flat"}:
            for _ in range(3):
                self.second += 1
                self.price = max(50.0, self.price + {"up": 1.0, "down": -1.0, "flat": 0.0}[move])
                rig.tick(self.second, self.price)
        elif move == "cut" and rig.connected:
            rig.down()
        elif move == "link" and not rig.connected:
            rig.up()
        elif move == "gap" and rig.connected:
            rig.feed(wire.Gap(1, 1, "lost"))
        elif move in {"stale", "fresh"} and rig.connected:
            rig.status(fresh=("BTCUSDT",) if move == "fresh" else ())
        elif move == "wait":
            rig.wait(3)
            self.second = max(self.second, int((rig.now_ns - 1_700_000_000 * 10**9) / 10**9))
            self.deliver_late()
        elif move == "manual" and self.exchange.position:
            side = "SELL" if self.exchange.position > ZERO else "BUY"
            size = abs(self.exchange.position)
            by_hand = wire.SubmitOrder(0, "BTCUSDT", f"web_{self.turn}_{self.second}", side, "MARKET", size)
            self.turn += 1
            for event in self.exchange.execute(by_hand)[1:]:
                if rig.connected:
                    rig.feed(event)
        elif move in {"die", "die_rotated"}:
            self.die(is_rotated=move == "die_rotated")
        else:
            self.do_silently(move)

    def do_silently(self, move: str) -> None:
        """What the exchange or an operator does and no event tells."""
        if move == "hidden":
            self.turn += 1
            side = "SELL" if self.turn % 2 else "BUY"
            by_hand = wire.SubmitOrder(0, "BTCUSDT", f"ios_{self.turn}", side, "MARKET", Decimal("0.05"))
            self.exchange.execute(by_hand)
        elif move == "vanish":
            for key in list(self.exchange.orders)[:1]:
                del self.exchange.orders[key]
        elif move in {"flatten", "kill", "resume"}:
            self.commands += 1
            self.is_leaving = move != "resume"
            self.rig.feed(Command(self.rig.now_ns, f"c{self.commands}", move))  # type: ignore[arg-type]  # a name

    def deliver_late(self) -> None:
        late, self.late = self.late, []
        for event in late:
            if self.rig.connected:
                self.rig.feed(event)

    def die(self, *, is_rotated: bool = False) -> None:
        """The process is gone; its journal is all that is left."""
        records = [one.record for one in self.rig.effects if isinstance(one, Append)]
        fresh = Rig(Engine(config(spec(**SPEC))), self.exchange)
        fresh.effects = list(self.rig.effects)
        fresh.now_ns = self.rig.now_ns
        found = Recovered("aaaaaa", 1, None, tuple(enumerate(records, 1)), 0, (), len(records) + 1, None, 0)
        if is_rotated:
            state = snapshot_of(self.rig.engine, Cursor())
            found = Recovered("aaaaaa", 1, state, (), 0, (), len(records) + 1, None, 0)
        restore(fresh.engine, found)
        self.rig = fresh.up()

    def heal(self, minutes: int = 1) -> None:
        """Faults stop; so much later everything must be agreed upon."""
        self.how = ["ok"]
        self.deliver_late()
        if not self.rig.connected:
            self.rig.up()
        self.rig.status()
        self.rig.wait(minutes * 60)


@settings(max_examples=100, deadline=None)
@given(moves, answers)
def test_a_healed_world_is_agreed_upon_and_no_order_was_sent_twice(script: list[str], how: list[str]) -> None:
    world = World(how)
    for move in script:
        world.do(move)
    world.heal()
    rig, exchange = world.rig, world.exchange
    account = rig.engine.account
    assert rig.engine.health.reconciled
    assert account.position("BTCUSDT").qty_base == exchange.position == account.venue_base("BTCUSDT")
    assert sum((one.qty_base for _, one in account.strategy_positions()), ZERO) == exchange.position
    assert not list(rig.engine.store.unsettled())
    stops = [one for one in exchange.orders.values() if one.order_type == "STOP_MARKET"]
    assert sum((one.qty_base for one in stops), ZERO) == abs(exchange.position)


@settings(max_examples=100, deadline=None)
@given(silent_moves, silent_answers)
def test_what_no_event_told_is_found_within_minutes_and_what_was_to_be_left_is_left(
    script: list[str], how: list[str]
) -> None:
    world = World(how)
    for move in script:
        world.do(move)
    world.heal(minutes=4)
    rig, exchange = world.rig, world.exchange
    account = rig.engine.account
    (slot,) = rig.engine.strategies.slots
    held = account.strategy_position(slot.owner, slot.symbol).qty_base
    assert rig.engine.health.reconciled
    assert account.position("BTCUSDT").qty_base == exchange.position == account.venue_base("BTCUSDT")
    assert not list(rig.engine.store.unsettled())
    assert {one.client_order_id for one in rig.engine.store.open_orders()} == set(exchange.orders)
    stops = [one for one in exchange.orders.values() if one.order_type == "STOP_MARKET"]
    assert sum((one.qty_base for one in stops), ZERO) == abs(held)
    if world.is_leaving:
        assert held == ZERO
    owned = [one.qty_base for _, one in account.strategy_positions()]
    assert min(owned, default=ZERO) >= ZERO or max(owned) <= ZERO  # nobody holds what another has closed


@settings(max_examples=100, deadline=None)
@given(moves, answers)
def test_every_order_had_its_intent_and_every_run_can_be_repeated(script: list[str], how: list[str]) -> None:
    world = World(how)
    for move in script:
        if move != "die":
            world.do(move)
    intended: set[str] = set()
    for effect in world.rig.effects:
        if isinstance(effect, Append) and isinstance(effect.record, Intent):
            intended.add(effect.record.client_order_id)
        if isinstance(effect, Send) and isinstance(effect.message, wire.SubmitOrder):
            assert effect.message.client_order_id in intended
    again = Engine(config(spec(**SPEC)))
    effects = [effect for event in world.rig.events for effect in again.process(event)]
    assert msgspec.msgpack.encode(effects) == msgspec.msgpack.encode(world.rig.effects)
