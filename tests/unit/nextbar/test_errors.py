"""Every error of nextbar is caught by one name, and is one sentence."""

import copy
import pickle
from typing import Any

import pytest

import nextbar as nb
from nextbar import ta


class Crossed(nb.Strategy):
    """Long above its average."""

    length = nb.param(20, ge=1)

    def define(self, bar: nb.BarSeries) -> nb.Rules:
        """Above the average."""
        return nb.Rules(enter_long=bar.close > ta.ema(bar.close, self.length))


def said(make: Any) -> str:  # noqa: ANN401  # any call
    with pytest.raises(nb.NextbarError) as raised:
        make()
    return str(raised.value)


def test_what_is_said_about_a_strategy_its_data_and_its_broker_has_one_base() -> None:
    assert said(lambda: Crossed(lenght=3)).startswith("Crossed: parameter lenght is not a known key (did")
    assert said(lambda: Crossed(length=0)) == "Crossed: parameter length is 0, it should be at least 1"
    assert said(lambda: nb.BarSeries().clos).startswith("the bar has no clos (did you mean close?)")  # type: ignore[attr-defined]  # what is tried
    assert said(lambda: nb.load("no-such-file.parquet"))
    assert said(lambda: nb.backtest("no-such-strategy", "sample-1h"))
    assert issubclass(nb.StrategyFault, nb.NextbarError)


def test_a_wrong_setting_of_the_broker_is_one_sentence() -> None:
    wrong: Any = {"comission_percent": 1}
    sentence = "nb.Broker: comission_percent is not a known key (did you mean commission_percent?); allowed:"
    with pytest.raises(nb.ConfigError) as raised:
        nb.Broker(**wrong)
    assert str(raised.value).startswith(sentence)
    with pytest.raises(
        nb.ConfigError, match=r"^nb\.Broker: commission_percent is -1, it should be at least 0$"
    ):
        nb.Broker(commission_percent=-1)
    with pytest.raises(nb.ConfigError, match=r"^nb\.Broker: give only one of cash, percent_of_equity, "):
        nb.Broker(cash=5, qty=3)


def test_a_broker_can_still_be_copied_and_sent() -> None:
    broker = nb.Broker(cash=5)
    assert pickle.loads(pickle.dumps(broker)) == copy.deepcopy(broker) == broker
