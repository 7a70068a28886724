"""What Pine, TA-Lib and pandas call otherwise is answered with what to write here."""

from collections.abc import Callable

import pytest

from engine.indicators.catalog import INDICATORS
from engine.model.sentences import SentenceError
from engine.series import ta
from engine.series.bar import BarSeries
from engine.series.nodes import Series, SeriesError
from engine.series.other_names import written
from engine.series.text import Expression

BAR = BarSeries()
NOT_ONE = "has several outputs, name one: "
MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: ta.bb, "ta has no bb; Pine's ta.bb is ta.bollinger here"),
    (lambda: ta.kc, "ta has no kc; Pine's ta.kc is ta.keltner here"),
    (lambda: ta.tr, "ta has no tr; Pine's ta.tr is ta.true_range here"),
    (lambda: ta.BBANDS, "ta has no BBANDS; TA-Lib's BBANDS is ta.bollinger here"),
    (lambda: ta.adx, "ta has no adx; TA-Lib's ADX is ta.dmi(bar).adx here"),
    (lambda: ta.atr(14), "ta.atr takes the bar or high, low, close; low is missing; write ta.atr(bar, 14)"),
    (ta.atr, "high is missing; write ta.atr(bar, length)"),
    (lambda: ta.ema(14), "it takes x and the settings (length: int); write ta.ema(bar.close, 14)"),
    (
        lambda: ta.ema(20, BAR.close),
        "ta.ema takes series first, then its settings, which are numbers: write ta.ema(x, length)",
    ),
    (lambda: ta.ema(BAR.close, length=BAR.open), "its settings, which are numbers: write ta.ema(x, length)"),
    (
        lambda: ta.bollinger(BAR.close) > BAR.close,
        f"ta.bollinger {NOT_ONE}.middle, .upper, .lower",
    ),
    (lambda: BAR.close < ta.bollinger(BAR.close), f"ta.bollinger {NOT_ONE}.middle"),
    (lambda: ta.dmi(BAR) > 0, f"ta.dmi {NOT_ONE}.plus, .minus, .adx"),
    (lambda: ta.dmi(BAR) == 0, f"ta.dmi {NOT_ONE}.plus, .minus, .adx"),
    (lambda: 1 - ta.dmi(BAR), f"ta.dmi {NOT_ONE}"),
    (lambda: (BAR.close > 1) & ta.dmi(BAR), f"ta.dmi {NOT_ONE}"),
    (lambda: ta.ema(ta.macd(BAR.close), 3), f"ta.ema: x: ta.macd {NOT_ONE}.macd, .signal, .histogram"),
    (
        lambda: ta.bollinger(BAR.close).up,
        "ta.bollinger has no output up (did you mean upper?); it has middle, upper, lower",
    ),
    (lambda: ta.macd(BAR.close).hist, "no output hist (did you mean histogram?)"),
    (lambda: BAR.on("1D"), "such as 5m; write 1d"),
    (lambda: BAR.on("4H"), "; write 4h"),
    (lambda: BAR.on("D"), "; write 1d"),
    (lambda: BAR.on("60"), "; write 1h"),
    (lambda: BAR.on(60), "; write 1h"),  # type: ignore[arg-type]
    (lambda: BAR.on("15min"), "; write 15m"),
    (lambda: BAR.hour.isin([9, 10]), "a series has no isin: (x == 9) | (x == 10), or x >= 9 with &"),
    (lambda: BAR.close.ema(20), "a series has no ema: write ta.ema(x, length)"),
    (lambda: BAR.close.crossover(BAR.open), "a series has no crossover: write ta.crossover(a, b)"),
    (lambda: BAR.close.bb(20), "a series has no bb: Pine's ta.bb is ta.bollinger here"),
    (lambda: BAR.close.astype(int), "a series has no astype: a number of a series is a float"),
    (lambda: BAR.atr(14), "the bar has no atr: write ta.atr(bar, length)"),
    (lambda: BAR.ema(14), "the bar has no ema: write ta.ema(bar.close, length)"),
    (lambda: Expression("bb(close, 20) > 1").value({}), "no function bb; Pine's bb is bollinger here"),
]


@pytest.mark.parametrize(("mistake", "sentence"), MISTAKES)
def test_a_newcomers_mistake_is_answered_with_what_to_write(
    mistake: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(SentenceError) as raised:
        mistake()
    assert sentence in str(raised.value)
    assert "object at 0x" not in str(raised.value)


def test_a_month_is_not_taken_for_a_minute() -> None:
    with pytest.raises(SeriesError, match=r"such as 5m$"):
        BAR.on("1M")


def test_each_name_of_pine_is_known_or_answered_with_ours() -> None:
    for name, cls in INDICATORS.items():
        called = cls.pine_name.removeprefix("ta.")
        if cls.pine_name.startswith("ta.") and called != name and called not in INDICATORS:
            with pytest.raises(SeriesError, match=f"is ta.{name} here$"):
                getattr(ta, called)


def test_outputs_are_still_a_tuple_of_series() -> None:
    outputs = ta.macd(BAR.close)
    line, signal, histogram = outputs
    assert all(isinstance(one, Series) for one in outputs)
    assert outputs.signal is signal
    assert outputs == (line, signal, histogram)
    assert hash(outputs) == hash((line, signal, histogram))


@pytest.mark.parametrize("cls", INDICATORS.values(), ids=lambda cls: cls.name)
def test_a_call_is_written_with_all_that_has_no_default(cls: type) -> None:
    length = dict.fromkeys(("length", "left", "right", "percentage", "a_length", "b_length"), 3)
    text = written(cls, "close").removeprefix("ta.")
    names = {name: BAR.close for name in (*cls.inputs, "x") if name not in {"high", "low", "open", "close"}}
    assert Expression(text).value({**length, **names}) is not None
