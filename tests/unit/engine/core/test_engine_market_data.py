"""Warm-up, exchange klines, late ticks, holes, several timeframes and symbols, replayed events."""

from decimal import Decimal

import msgspec
import pytest

from engine.core.engine import Engine
from engine.model.audit import CandleClosed
from engine.model.bars import BarFlag
from engine.model.broker_settings import Sizing
from engine.model.events import Event
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS
from engine.strategies.slot import SlotState, StrategyRefused
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Exchange, Rig, config, spec

MINUTE_NS = 60 * SECOND_NS
FIRST_MINUTE_NS = START_NS - START_NS % MINUTE_NS


def kline(index: int, close: float, *, closed: bool = True) -> wire.Kline:
    """The minute `index` minutes after the one the rig starts in."""
    open_ns = FIRST_MINUTE_NS + index * MINUTE_NS
    prices = (close, close, close, close)
    return wire.Kline("BTCUSDT", "1m", open_ns, open_ns + MINUTE_NS, *prices, 1.0, close, 1, closed, open_ns)


def history(closes: dict[int, float]) -> Exchange:
    exchange = Exchange()

    def answer(request: wire.RequestKlines) -> list[Event]:
        bars = tuple(kline(index, closes[index]) for index in sorted(closes))
        return [wire.KlinesReply(request.request_id, "BTCUSDT", "1m", bars[-request.limit :], True)]

    exchange.klines = answer
    return exchange


def minutes(**changes: object) -> Engine:
    return Engine(config(spec(timeframe="1m", **changes)))


def test_minutes_warm_up_from_the_exchanges_klines_and_trade_at_once() -> None:
    closes = {-6: 104.0, -5: 103.0, -4: 102.0, -3: 101.0, -2: 100.0, -1: 99.0}
    rig = Rig(minutes(), history(closes)).up()
    slot = rig.engine.strategies.slots[0]
    assert slot.state is SlotState.RUNNING
    assert not rig.records(Signal)
    seconds_left = (FIRST_MINUTE_NS + MINUTE_NS - START_NS) // SECOND_NS
    rig.prices(*[98.0] * seconds_left)
    rig.prices(*[110.0] * 61, start=seconds_left)
    (signal,) = rig.records(Signal)
    assert (signal.enter_long, signal.fate) == (True, "traded")


def test_history_is_asked_for_again_until_it_comes() -> None:
    exchange = Exchange()
    rig = Rig(minutes(), exchange).up()
    rig.wait(30)
    asked = rig.sent(wire.RequestKlines)
    assert len(asked) > 2
    assert rig.engine.strategies.slots[0].state is SlotState.FETCHING


def test_the_exchanges_own_klines_are_bars_and_missing_ones_are_fetched_without_a_late_entry() -> None:
    closes = {index: 100.0 - index for index in range(-6, 0)}
    exchange = history(closes)
    rig = Rig(minutes(candles="exchange"), exchange).up()
    assert "kline:1m" in rig.sent(wire.Subscribe)[0].streams
    closes.update({0: 120.0, 1: 90.0})
    rig.now_ns = exchange.now_ns = FIRST_MINUTE_NS + 3 * MINUTE_NS
    rig.wait(0.1)
    rig.feed(kline(2, 80.0))
    slot = rig.engine.strategies.slots[0]
    assert slot.fed_open_ns[slot.symbol, MINUTE_NS] == FIRST_MINUTE_NS + 2 * MINUTE_NS
    assert all(one.fate == "late" for one in rig.records(Signal))
    assert not rig.sent(wire.SubmitOrder)


def test_a_kline_delivered_twice_is_one_decision() -> None:
    closes = {index: 100.0 - index for index in range(-6, 0)}
    exchange = history(closes)
    rig = Rig(minutes(candles="exchange"), exchange).up()
    rig.tick(1, 100.0)
    rig.now_ns = exchange.now_ns = FIRST_MINUTE_NS + MINUTE_NS
    rig.wait(0.1)
    rig.tick((rig.now_ns - START_NS) / SECOND_NS, 100.0)
    for _ in range(3):
        rig.feed(kline(0, 120.0))
    assert len(rig.records(Signal)) == len(rig.sent(wire.SubmitOrder)) == 1


def test_a_bar_with_a_hole_gives_no_entry() -> None:
    rig = Rig().up().prices(100, 99, 98)
    rig.status(fresh=())
    rig.status()
    rig.prices(100, 101, start=3)
    (signal,) = rig.records(Signal)
    assert (signal.enter_long, signal.fate) == (True, "suspect")
    assert not rig.sent(wire.SubmitOrder)


def test_a_timer_closes_a_bar_and_its_late_ticks_change_nothing() -> None:
    rig = Rig().up().prices(100, 99, 98, 100)
    rig.wait(1.3)
    closed = [one.bar for one in rig.notices(CandleClosed)]
    assert closed[-1].close == 100.1
    rig.tick(3.9, 500)
    assert rig.engine.candles.late_ticks == 1
    assert len(rig.notices(CandleClosed)) == len(closed)


def test_an_empty_second_is_a_marked_bar() -> None:
    rig = Rig().up()
    rig.tick(0, 100)
    rig.tick(2, 101)
    flags = [one.bar.flags for one in rig.notices(CandleClosed)]
    assert flags == [0, int(BarFlag.EMPTY)]


def test_several_symbols_and_timeframes_are_delivered_longest_first_then_by_symbol() -> None:
    symbols = ("AAAUSDT", "BTCUSDT")
    several = config(
        spec(symbols=symbols, netting=True),
        spec(owner="b:s2", symbols=symbols, timeframe="2s", netting=True),
        symbols=symbols,
    )
    rig = Rig(Engine(several)).up()
    for second in range(5):
        for symbol in reversed(symbols):
            time_ns = START_NS + second * SECOND_NS
            rig.now_ns = time_ns
            levels = ((100.0, 1.0),)
            rig.feed(wire.OrderBookTick(symbol, 1, time_ns, time_ns, time_ns, levels, levels))
    before = len(rig.notices(CandleClosed))
    rig.wait(1.3)
    closed = [
        (one.bar.timeframe_ns // SECOND_NS, one.bar.symbol) for one in rig.notices(CandleClosed)[before:]
    ]
    assert closed == [(1, "AAAUSDT"), (1, "BTCUSDT")]
    rig.wait(1.0)
    closed = [
        (one.bar.timeframe_ns // SECOND_NS, one.bar.symbol) for one in rig.notices(CandleClosed)[before:]
    ]
    assert closed[2:] == [(2, "AAAUSDT"), (2, "BTCUSDT"), (1, "AAAUSDT"), (1, "BTCUSDT")]


def test_events_written_down_drive_another_engine_to_the_same_effects() -> None:
    live = Rig().up().prices(100, 99, 98, 100, 101, 99, 97, 96)
    events = msgspec.msgpack.decode(msgspec.msgpack.encode(live.events), type=list[Event])
    again = Engine(config())
    effects = [effect for event in events for effect in again.process(event)]
    assert msgspec.msgpack.encode(effects) == msgspec.msgpack.encode(live.effects)


def test_a_strategy_that_cannot_run_as_configured_is_refused_at_start() -> None:
    with pytest.raises(StrategyRefused, match="sma_crossover_inflection: long is 0"):
        Engine(config(spec(params={"long": 0})))
    with pytest.raises(StrategyRefused, match="there is no strategy 'nothing'"):
        Engine(config(spec("nothing")))


def test_sizing_is_rounded_down_to_the_grid() -> None:
    rig = Rig(Engine(config(spec(sizing=Sizing("cash", 25.0))))).up().prices(100, 99, 98, 100, 101)
    (order,) = rig.sent(wire.SubmitOrder)
    assert order.qty_base == Decimal("0.249")
