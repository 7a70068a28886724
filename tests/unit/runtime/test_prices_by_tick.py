"""Wherever a price is shown to a person it has the decimals of its symbol's tick: no more, no fewer."""

from decimal import Decimal

import msgspec
import pytest

from engine.backtest.report.settings import data_lines
from engine.backtest.report.text import open_lines
from engine.core.account_reporter import forced_close
from engine.core.engine import Engine
from engine.model import records
from engine.model.audit import Answer, CandleClosed, PositionChanged, Ready
from engine.model.bars import Bar
from engine.model.events import Command
from engine.model.exit_rules import ExitRules
from engine.model.price_text import PriceText
from engine.model.records import JournalRecord
from engine.orders.order_store import OrderStore
from engine.shell.chat import status_text
from engine.shell.log_lines import line_of
from engine.shell.status import StatusKeeper
from gateways.wire.words import ForcedClose
from runtime.control.shown import as_it_is, price, readable
from runtime.control.status import EngineStatus, PositionStatus
from runtime.control.status_tables import markets, orders
from tests.support.engine_rig import Rig, config, instrument, spec
from tests.support.order_events import PREFIX, intent, report
from tests.unit.engine.core.test_engine_restarts import UP

COIN = msgspec.structs.replace(instrument("DOGEUSDT"), price_tick=Decimal("0.00001"))
WHOLE = msgspec.structs.replace(instrument("BTCUSDT"), price_tick=Decimal(1))
SHOW = PriceText({"DOGEUSDT": COIN, "BTCUSDT": WHOLE})
THIRD = Decimal(4) / 3 / 1000
FILL = records.Fill(
    "DOGEUSDT", "k", 1, 1, "s", "BUY", Decimal("0.004"), Decimal(10), Decimal(0), "USDT", Decimal(0), False, 1
)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            PositionChanged(1, "DOGEUSDT", Decimal(10), THIRD, Decimal(0), Decimal(0), Decimal(0), THIRD / 2),
            "DOGEUSDT 10 at 0.00133 realised 0.0000 unrealised 0.0000 fees 0.0000 liquidation 0.00067",
        ),
        (
            PositionChanged(1, "BTCUSDT", Decimal(0), Decimal(0), Decimal(0), Decimal(0), Decimal(0)),
            "BTCUSDT flat realised 0.0000 unrealised 0.0000 fees 0.0000",
        ),
        (Ready(1, "DOGEUSDT", 0.004, 0.00401), "READY DOGEUSDT bid 0.00400 ask 0.00401"),
        (
            CandleClosed(1, Bar("DOGEUSDT", 10**9, 0, 0.004, 0.0041, 0.0039, 0.00405, 1.0, "trade", ticks=3)),
            "DOGEUSDT 1s trade open 0.00400 high 0.00410 low 0.00390 close 0.00405 ticks 3",
        ),
        (
            intent(symbol="DOGEUSDT", order_type="STOP_MARKET", stop_price=Decimal("0.0039")),
            f"BUY 1 DOGEUSDT STOP_MARKET stop 0.00390 [] {PREFIX}{1:027d}",
        ),
        (
            intent(order_type="LIMIT", price=Decimal("64000.0")),
            f"BUY 1 BTCUSDT LIMIT at 64000 [] {PREFIX}{1:027d}",
        ),
        (FILL, "BUY 10 DOGEUSDT at 0.00400 fee 0 USDT [s] k"),
        (
            records.Signal(
                "s", "DOGEUSDT", 1, 0, True, False, False, False, "", (), "traded", "", "", (), 1, 0.0041
            ),
            "s DOGEUSDT long at 0.00410: traded",
        ),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, str) else "",
)
def test_a_line_of_the_log_shows_prices_by_the_tick(event: JournalRecord, said: str) -> None:
    line = line_of(event, SHOW)
    assert line is not None
    assert line[2] == said


def test_a_forced_close_tells_its_average_by_the_tick() -> None:
    store = OrderStore(PREFIX)
    update = report(
        "FILLED",
        client_order_id="autoclose-1",
        symbol="DOGEUSDT",
        average_price=THIRD,
        filled_base=Decimal(10),
        qty_base=Decimal(10),
    )
    order = store.apply(update).order
    assert "(bought at 0.00133 on average)" in forced_close(order, ForcedClose.LIQUIDATION, SHOW)


def test_a_price_without_a_known_tick_keeps_its_digits() -> None:
    assert as_it_is("DOGEUSDT", 0.0000412) == "0.0000412"
    assert PriceText({})("BTCUSDT", Decimal("64000.50")) == "64000.5"
    assert price("123456789.125", None, grouped=True) == "123,456,789.125"


def test_the_view_the_chat_and_the_status_show_a_cheap_coin_with_its_digits() -> None:
    status = EngineStatus(
        last_prices={"DOGEUSDT": 0.004123456},
        positions=(PositionStatus("DOGEUSDT", "10", str(THIRD), "0.004", "0.01"),),
        tick_sizes={"DOGEUSDT": "0.00001000"},
        wallet_balance="1",
    )
    shown = readable(status)
    assert (shown.positions[0].entry_price, shown.positions[0].mark_price) == ("0.00133", "0.00400")
    assert shown.last_prices == {"DOGEUSDT": 0.00412}
    assert list(markets(shown, 5).columns[1].cells) == ["0.00412"]
    assert "DOGEUSDT 10 at 0.00133" in status_text(status)


def test_a_report_of_a_backtest_shows_prices_by_the_tick_and_ticks_without_exponent() -> None:
    row = {
        "symbol": "DOGEUSDT",
        "side": "long",
        "qty": 1e7,
        "entry_time": "2025-01-01",
        "entry_signal": "",
        "entry_price": 0.0041,
        "last_price": 0.004,
        "profit": -1.0,
        "commission": 0.0,
        "funding": 0.0,
    }
    told = {"symbol": "DOGEUSDT", "bars": 1, "timeframe_seconds": 60, "tick": 1e-5, "qty_step": 1.0}
    told |= {"first_open": "2025-01-01T00:00:00", "last_open": "2025-01-01T00:00:00"}
    summary = {"data": [told], "still_open": [row], "notes": []}
    (line,) = open_lines(summary)
    assert "DOGEUSDT long 10000000 since 2025-01-01 UTC at 0.00410, last price 0.00400" in line
    assert data_lines(summary)[0].endswith("tick 0.00001, quantity step 1")


def test_the_engine_shows_stops_with_their_trigger_and_averages_by_the_tick() -> None:
    rig = Rig(Engine(config(spec(protective_stop_percent=Decimal(5))))).up()
    rig.prices(*UP)
    status = readable(StatusKeeper(rig.engine).status(rig.now_ns))
    (order,) = status.open_orders
    assert (order.order_type, order.price, order.trigger_price) == ("STOP_MARKET", None, "96.1")
    assert (order.at, order.strategy) == ("stop 96.1", "sma_crossover_inflection:s1")
    assert list(orders(status, 5).columns[5].cells) == ["stop 96.1"]
    (one,) = status.strategies
    assert (one.state, one.qty_base, one.stop_price, one.stop_is_watched) == ("running", "0.1", "96.1", False)
    assert "BTCUSDT SELL 0.1 stop 96.1" in status_text(status)
    rig.feed(Command(rig.now_ns, "w", "why"))
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    assert "entry filled 0.1 at 101.2" in answer.text


@pytest.mark.parametrize(
    ("protective", "shown"), [(None, ("98.2", True)), ("5", ("98.2", True)), ("1", ("100.1", False))]
)
def test_a_stop_that_is_tested_at_the_close_of_a_bar_is_shown_as_that_and_the_nearer_one_first(
    protective: str | None, shown: tuple[str, bool]
) -> None:
    percent = None if protective is None else Decimal(protective)
    rules = ExitRules(stop_loss_percent=3.0)
    rig = Rig(Engine(config(spec(exit_rules=rules, protective_stop_percent=percent))))
    rig.up().prices(*UP, 101, 101)
    (one,) = readable(StatusKeeper(rig.engine).status(rig.now_ns)).strategies
    assert (one.stop_price, one.stop_is_watched) == shown
