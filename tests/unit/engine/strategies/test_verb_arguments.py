"""Quantities, prices and names that cannot be meant are sentences, the same in the backtest and live."""

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest

from engine.account.state import AccountStateStore
from engine.backtest.emulator.broker import BacktestBroker
from engine.execution.scripts.book import ScriptBook
from engine.execution.scripts.broker import ScriptBroker
from engine.model.bars import Bar
from engine.model.broker_settings import BrokerSettings, Market
from engine.model.sentences import SentenceError
from engine.strategies.slot import StrategySlot
from tests.support.engine_rig import instrument, spec

Call = Callable[[BacktestBroker | ScriptBroker], None]
BAR = Bar("BTCUSDT", 10**9, 10**9, 100.0, 100.0, 100.0, 100.0)


def live(*, muted: bool = False) -> ScriptBroker:
    book = ScriptBook(StrategySlot(spec(), "BTCUSDT"), AccountStateStore(), {"BTCUSDT": instrument()})
    book.begin_bar(BAR, muted=muted)
    return ScriptBroker(book)


def backtest() -> BacktestBroker:
    """With an entry that is pending, so that exits have something to leave."""
    broker = BacktestBroker("BTCUSDT", BrokerSettings(market=Market(tick=0.1, qty_step=0.001)))
    broker.fill_bar(0, 10**9, 100.0, 100.0, 100.0, 100.0)
    broker.entry("L", "long", 1.0, limit=90.0)
    return broker


@pytest.mark.parametrize("make", [live, backtest])
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda b: b.entry("", "long"), "entry: id is empty, it should be a name"),
        (lambda b: b.entry("L", "long", -1), "entry: qty is -1, it should be a number of 0 or more"),
        (lambda b: b.entry("L", "long", nan), "entry: qty is nan, it should be a number of 0 or more"),
        (lambda b: b.entry("L", "long", stop="9"), "entry: stop is '9', it should be a number or None"),
        (lambda b: b.entry("L", "long", limit=-inf), "entry: limit is -inf, it should be above -1e+15"),
        (lambda b: b.exit("X", "L", stop=-1e15), "exit: stop is -1000000000000000.0, it should be above"),
        (lambda b: b.exit("X", "L", qty=-2, stop=9.0), "exit: qty is -2, it should be a number of 0 or more"),
        (
            lambda b: b.exit("X", "L", qty_percent=150, stop=90.0),
            "exit: qty_percent is 150, it should be a number from 0 to 100",
        ),
        (lambda b: b.exit("X", "L", loss=-3), "exit: loss is -3, it should be a number of ticks, 0 or more"),
        (lambda b: b.exit("X", "L", stop=9.0, comment_loss=1), "exit: comment_loss is 1, it should be text"),
        (lambda b: b.close("L", qty=nan), "close: qty is nan, it should be a number of 0 or more"),
        (lambda b: b.close("L", qty_percent=nan), "close: qty_percent is nan, it should be a number from 0"),
        (lambda b: b.close_all(comment=1), "close_all: comment is 1, it should be text"),
    ],
)
def test_a_wrong_argument_is_a_sentence(
    make: Callable[[], BacktestBroker | ScriptBroker], call: Call, said: str
) -> None:
    with pytest.raises(SentenceError) as raised:
        call(make())
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("make", [live, backtest])
def test_what_can_be_meant_is_taken(make: Callable[[], BacktestBroker | ScriptBroker]) -> None:
    broker = make()
    broker.entry("L", "long", np.float32(0.5), limit=np.int64(90), stop=nan, comment="c" * 200)
    broker.entry("S", "short", 0)
    broker.entry("F", "long", 1, limit=-0.5)
    broker.exit("XF", "F", stop=-3, limit=0)
    broker.exit("X", "L", stop=nan, limit=None, profit=0, qty_percent=50)
    broker.close("L", qty_percent=0)
    broker.close("", comment="")
    broker.cancel("nobody knows it")


def test_a_wrong_call_while_it_warms_up_is_told_too() -> None:
    broker = live(muted=True)
    with pytest.raises(SentenceError):
        broker.entry("L", "long", -1)
