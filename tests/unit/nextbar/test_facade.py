"""The package that people import: what is in it, and what a result shows."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nextbar as nb
from engine.backtest.data.broker_config import default_broker
from engine.backtest.run import backtest as of_the_engine
from nextbar import reference
from tests.support.places import ROOT


@pytest.fixture(scope="module")
def result() -> nb.Result:
    return nb.backtest("rsi", "sample-1h", params={"length": 20})


@pytest.mark.parametrize("name", nb.__all__)
def test_every_public_name_is_there_and_described(name: str):
    found = getattr(nb, name)
    assert inspect.getdoc(found)
    assert name in dir(nb)


def test_public_names_are_what_a_type_checker_sees():
    assert sorted(nb.__all__) == nb.__all__ == sorted(nb._HOMES)
    text = inspect.getsource(nb)
    block = text[text.index("if TYPE_CHECKING:") : text.index("_HOMES = {")]
    for name in nb.__all__:
        assert any(name in line.replace(",", " ").split() for line in block.splitlines()), name


def test_the_page_of_names_says_what_the_docstrings_say():
    found = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert found == reference.page(), "make it anew: python -m nextbar.reference > docs/api.md"
    assert all(f"### `nb.{name}`" in found for name in nb.__all__)


def test_the_import_loads_nothing_large():
    program = "import sys, nextbar; print({'numpy', 'pandas', 'numba', 'pydantic'} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_unknown_name_and_one_to_come_are_told_apart():
    with pytest.raises(AttributeError, match=r"nextbar.optimize is not in this version yet; there are Bar, "):
        _ = nb.optimize  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"nextbar.bactest does not exist"):
        _ = nb.bactest  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"nextbar.log does not exist, ta.log does; there are Bar, "):
        _ = nb.log  # type: ignore[attr-defined]


def test_a_result_has_the_numbers_of_the_engine(result: nb.Result):
    plain = of_the_engine("rsi", nb.load("sample-1h"), params={"length": 20})
    assert result.stats["net_profit"] == plain.metrics["net_profit"]
    assert result.stats["trades"] == len(result.trades) == len(plain.trades) > 50
    assert result.summary == plain.summary
    first, trade = plain.trades[0], result.trades.iloc[0]
    assert trade["entry_time"] == pd.Timestamp(first.entry_time_ns, tz="UTC")
    assert (trade["profit"], trade["entry_price"]) == (first.pnl, first.entry_price)
    assert result.trades["profit"].sum() == pytest.approx(plain.metrics["net_profit"])
    assert np.array_equal(result.equity["equity"], plain.equity)
    assert result.equity.index[0] == pd.Timestamp("2023-01-01", tz="UTC")
    assert list(result.plots().columns) == list(plain.value_names)


def test_orders_buy_and_sell_what_the_trades_hold(result: nb.Result):
    orders, trades = result.orders, result.trades
    signed = orders["qty"].where(orders["side"] == "buy", -orders["qty"])
    held = result.open_trades["qty"].where(result.open_trades["side"] == "long", -result.open_trades["qty"])
    assert signed.sum() == pytest.approx(held.sum())
    assert orders["time"].is_monotonic_increasing
    assert orders["qty"].sum() == pytest.approx(2 * trades["qty"].sum() + result.open_trades["qty"].sum())
    assert orders["commission"].sum() == pytest.approx(
        trades["commission"].sum() + result.open_trades["commission"].sum()
    )


def test_partial_exits_are_one_entry_order():
    exits = {
        "stop_loss_percent": 2.0,
        "take_profit_percent": 2.0,
        "signal_exits": False,
        "stop_kind": "resting",
    }
    result = nb.backtest("rsi", "sample-1h", exits=exits)
    entries = result.orders[result.orders["kind"] == "entry"]
    assert not entries.duplicated(["time", "side"]).any()


def test_a_result_is_drawn_with_its_series_in_their_panels(result: nb.Result):
    page = result.plot()
    names = [one.name for one in page.data]
    assert set(names) >= {*result.plots().columns, "equity", "buy and hold", "drawdown, %"}
    by_name = {one.name: one for one in page.data}
    prices = next(one for one in page.data if one.type == "candlestick")
    assert by_name[result.plots().columns[0]].yaxis != prices.yaxis
    assert len(prices.x) <= 5000
    assert max(prices.high) == nb.load("sample-1h").high.max()
    part = result.plot(start="2023-02-01", end="2023-02-03")
    candles = next(one for one in part.data if one.type == "candlestick")
    assert len(candles.x) == 48
    entered = [one for one in part.data if one.type == "scatter" and one.mode == "markers"]
    assert sum(len(one.x) for one in entered) < 20
    assert max(max(one.x) for one in part.data if len(one.x)) <= candles.x[-1], "nothing beyond its end"
    with pytest.raises(nb.ConfigError, match="there is no bar of SAMPLEUSDT from 2030 on"):
        result.plot(start="2030")
    with pytest.raises(nb.ConfigError, match="start: 'then' is not a time"):
        result.plot(start="then")
    with pytest.raises(nb.ConfigError, match="there is no symbol 'X'"):
        result.plot("X")


def test_a_result_shows_itself_and_writes_its_files(result: nb.Result, tmp_path: Path):
    html = result._repr_html_()
    assert "<svg" in html
    assert "net profit" in html
    assert "Sharpe" in repr(result)
    assert result.report(tmp_path / "Käufe.html").read_text("utf-8").startswith("<!doctype html>")
    folder = result.to_parquet(tmp_path / "out")
    assert sorted(one.stem for one in folder.iterdir()) == [
        *("equity", "open_trades", "orders", "plots_SAMPLEUSDT", "trades")
    ]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "trades.parquet"), result.trades)
    json.dumps(result.summary)


def test_results_stand_side_by_side(result: nb.Result):
    other = nb.backtest("rsi", "sample-1h", name="default")
    both = nb.compare([result, other])
    assert list(both.columns) == ["rsi", "default"]
    assert both.loc["trades", "default"] == len(other.trades)
    with pytest.raises(nb.ConfigError, match="two results are called 'rsi'"):
        nb.compare([result, result])


def test_the_brokers_settings_stand_on_the_defaults_of_a_backtest():
    assert nb.Broker().model_dump() == default_broker().model_dump()
    sized = nb.Broker(cash=1000)
    assert (sized.cash, sized.percent_of_equity, sized.commission_percent) == (1000, None, 0.05)
    given = nb.backtest("rsi", "sample-1h", broker=nb.Broker(commission_percent=0.2))
    named = nb.backtest("rsi", "sample-1h", broker={"commission_percent": 0.2})
    assert given.summary["hashes"] == named.summary["hashes"]


def test_several_symbols_share_an_account():
    bars = [nb.load("sample-1h"), nb.load("sample-1h", symbol="OTHER")]
    result = nb.backtest("rsi", bars)
    assert set(result.trades["symbol"]) == {"SAMPLEUSDT", "OTHER"}
    with pytest.raises(nb.ConfigError, match="give the symbol, one of SAMPLEUSDT, OTHER"):
        result.plot()


def test_a_script_has_a_result_too(tmp_path: Path):
    class Turns(nb.Script):
        """In and out."""

        def on_bar(self, bar: nb.Bar, broker: nb.Verbs) -> None:
            if broker.position_size == 0:
                broker.entry("L", "long")
            else:
                broker.close("L")

    result = nb.backtest(Turns, "sample-1h")
    assert result.title == "Turns"
    assert result.plots().empty
    assert len(result.orders) == pytest.approx(2 * len(result.trades), abs=1)
    result.plot(end="2023-01-05")
