"""After kill nothing of ours is placed but what leaves positions, whatever happens then; and it ends flat."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.engine import Engine
from engine.model.events import Event
from engine.model.exit_rules import ExitRules, PartialExit
from gateways.wire import messages as wire
from tests.support.engine_rig import Rig, config, instrument, spec
from tests.unit.engine.core.test_commands_in_each_state import command
from tests.unit.engine.core.test_engine_restarts import UP, restarted
from tests.unit.engine.execution.scripts.test_engine_scripts import scripted

RULES = ExitRules(
    stop_kind="resting",
    take_profit_percent=5.0,
    trailing_percent=3.0,
    partial_exits=(PartialExit(at_r=1.0, fraction=0.5),),
)
SETTINGS = config(spec(exit_rules=RULES, protective_stop_percent=Decimal(5)))
CODES = (0, -1008, -2022, -4118, -4005, -2015, -4131)
HAPPENINGS = (
    "ticks", "wait", "cut", "restart", "restart from a snapshot", "cancel by hand", "rules", "refusals",
    "fill in part", "compare", "kill again",
)  # fmt: skip


class _World:
    """A killed engine and what happens to it. `code` 0: the exchange takes exits."""

    def __init__(self, rig: Rig, code: int) -> None:
        self.rig = rig
        self.code = code
        self.seconds = 10.0
        self.placed: list[wire.SubmitOrder] = []
        self.step = instrument().qty_step_base
        rig.exchange.on_submit = self.answer

    def answer(self, order: wire.SubmitOrder) -> list[Event] | None:
        self.placed.append(order)
        if self.code == -2022 and not any(one.order_type == "LIMIT" for one in self._rests(order.side)):
            return None
        if self.code:
            return [wire.Reply(order.request_id, "refused", self.code, "no")]
        return None

    def _rests(self, side: str) -> list[wire.OrderUpdate]:
        return [one for one in self.rig.exchange.orders.values() if one.side == side]

    def happen(self, what: str, code: int) -> None:
        rig = self.rig
        if what == "ticks":
            self.seconds = max(self.seconds, (rig.now_ns - 1_700_000_000 * 10**9) / 1e9) + 1
            rig.prices(100, 98, 96, 99, 102, 104, start=self.seconds)
            self.seconds += 6
        elif what == "wait":
            rig.wait(7)
        elif what == "cut":
            rig.down().up()
        elif what.startswith("restart"):
            self.rig = restarted(rig.down(), rig.engine.config, by_snapshot="snapshot" in what)
            self.rig.effects = [*rig.effects, *self.rig.effects]
            self.rig.now_ns = rig.exchange.now_ns
            self.rig.up()
        elif what == "cancel by hand":
            for key in list(rig.exchange.orders):
                for event in rig.exchange.cancel(wire.CancelOrder(0, "BTCUSDT", key))[1:]:
                    rig.feed(event)
        elif what == "rules":
            rig.exchange.rules = instrument()
            rig.feed(wire.Instrument(**{**_fields(instrument()), "price_tick": Decimal("0.5")}))
        elif what == "refusals":
            self.code = code
        elif what == "fill in part":
            self._fill_stop()
        elif what == "compare":
            rig.wait(70)
        else:
            command(rig, "kill", len(rig.effects))

    def _fill_stop(self) -> None:
        rig = self.rig
        for order in [one for one in rig.exchange.orders.values() if one.reduce_only]:
            qty = min(Decimal("0.01"), abs(rig.exchange.position), order.qty_base - order.filled_base)
            if qty > 0:
                request = wire.SubmitOrder(
                    0, "BTCUSDT", order.client_order_id, order.side, order.order_type, order.qty_base,
                    order.price, order.stop_price, reduce_only=True,
                )  # fmt: skip
                for event in rig.exchange.fill(request, qty):
                    rig.feed(event)


def _fields(one: wire.Instrument) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def check(rig: Rig, code: int, happenings: list[tuple[str, int]]) -> None:
    world = _World(rig, code)
    command(rig, "kill", 1)
    for what, next_code in happenings:
        world.happen(what, next_code)
    world.code = 0
    world.rig.wait(200)
    world.rig.status()
    assert all(one.order_type == "MARKET" and one.is_exit and one.reduce_only for one in world.placed)
    assert world.rig.exchange.position == 0
    assert not world.rig.exchange.orders


histories = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.sampled_from(CODES)), max_size=6)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(CODES), histories)
def test_a_killed_strategy_with_stop_target_and_partial_exits(
    code: int, happenings: list[tuple[str, int]]
) -> None:
    rig = Rig(Engine(SETTINGS)).up().prices(*UP)
    assert rig.exchange.position
    assert len(rig.exchange.orders) >= 2
    check(rig, code, happenings)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(CODES), histories)
def test_a_killed_script_with_an_entry_a_target_and_a_stop_that_rest(
    code: int, happenings: list[tuple[str, int]]
) -> None:
    rig = scripted(
        {
            0: lambda _, b: b.entry("L", "long", 0.1),
            1: lambda _, b: (b.exit("X", limit=150.0, stop=50.0), b.entry("S", "short", 0.1, limit=140.0))[0],
            20: lambda _, b: b.entry("M", "long", 0.1, limit=90.0),
        },
        "entry", "entry.limit", "exit.limit", "exit.stop", "close",
    )  # fmt: skip
    rig.prices(100, 101, 102, 103)
    assert len(rig.exchange.orders) == 3
    check(rig, code, happenings)
