"""Expressions as text give the nodes of the same expressions in Python, and nothing else can be written."""

import pytest

from engine.series import functions, ta
from engine.series.bar import BarSeries
from engine.series.nodes import Node
from engine.series.text import MOST_CHARACTERS, MOST_LEVELS, Expression, TextError

BAR = BarSeries()
HOUR = BAR.on("1h")
NAMES: dict[str, object] = {
    "length": 5,
    "percent": 2.5,
    "filtered": True,
    "mode": "fast",
    "average": ta.ema(BAR.close, 5),
    "lines": ta.macd(BAR.close),
    "trend": ta.ema(HOUR.close, 9),
}


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("close > open", BAR.close > BAR.open),
        ("1 < close", BAR.close > 1),
        ("(hl2 + 1) * -2 / volume % 3", (BAR.hl2 + 1) * -2 / BAR.volume % 3),
        ("close // 10", BAR.close // 10),
        (
            "close > 1 and open > 1 or not low == 2",
            ((BAR.close > 1) & (BAR.open > 1)) | ~(BAR.low == 2),
        ),
        ("(close > open) != (low > 1)", (BAR.close > BAR.open) != (BAR.low > 1)),
        ("filtered and close > 1", True & (BAR.close > 1)),
        ("ema(close, length * 2)", ta.ema(BAR.close, 10)),
        ("ema(close, max(length, 8) // 2)", ta.ema(BAR.close, 4)),
        ("ema(length=3, x=close)[length]", ta.ema(BAR.close, 3)[5]),
        ("atr(bar, 14)", ta.atr(BAR, 14)),
        ("macd(close, 12, 26, 9).signal > lines.macd", ta.macd(BAR.close).signal > ta.macd(BAR.close).macd),
        ('ppo(close, 12, 26, "sma")', ta.ppo(BAR.close, 12, 26, "sma")),
        ('mode == "fast" and close > 1', True & (BAR.close > 1)),
        (
            "where(na(close), 0, max(close, open, 3))",
            functions.where(functions.na(BAR.close), 0, functions.maximum(BAR.close, BAR.open, 3)),
        ),
        ("nz(close[1], na)", functions.nz(BAR.close[1], float("nan"))),
        ('on("1h", ema(close, 50)[1]) < close', ta.ema(HOUR.close, 50)[1] < BAR.close),
        ('on("1h", of("BTCUSDT", close)) > 1', BAR.of("BTCUSDT").on("1h").close > 1),
        ('of("BTCUSDT", on("1h", macd(close))).signal', ta.macd(BAR.of("BTCUSDT").on("1h").close).signal),
        ('on("1h", close > trend)', HOUR.close > ta.ema(HOUR.close, 9)),
        ('on("1h", hour_in("Asia/Tokyo") == 3)', HOUR.hour_in("Asia/Tokyo") == 3),
        (
            "executed_when(close > 1, change(close))",
            functions.executed_when(BAR.close > 1, ta.change(BAR.close)),
        ),
        ("close\n  > open", BAR.close > BAR.open),
        ('session("09:30-16:00", "Asia/Tokyo")', BAR.session("09:30-16:00", "Asia/Tokyo")),
        ("vwap(hlc3, volume, new_day())", ta.vwap(BAR.hlc3, BAR.volume, BAR.new_day())),
        (
            'once_per(close > 1, new_session("22:00-02:00"))',
            ta.once_per(BAR.close > 1, BAR.new_session("22:00-02:00")),
        ),
        ('on("1h", new_week(tz="Asia/Tokyo"))', HOUR.new_week("Asia/Tokyo")),
        ("bar_index > 5 and weekday < 5", (BAR.index > 5) & (BAR.weekday < 5)),
        ("sum(close, 3) + abs(low) + round(high)", ta.sum(BAR.close, 3) + abs(BAR.low) + ta.round(BAR.high)),
    ],
)
def test_a_text_is_the_same_node_as_the_expression_in_python(text: str, node: Node) -> None:
    assert Expression(text).value(NAMES) is node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("length / 2", 2.5),
        ("percent > 2 and not filtered", False),
        ("round(percent)", 3),
        ("min(length, 3)", 3),
    ],
)
def test_what_is_made_of_parameters_alone_is_a_number(text: str, value: object) -> None:
    assert Expression(text).value(NAMES) == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("close.__class__", "column 1: a series has no __class__"),
        ("close.shift(-1)", "column 1: a series has no shift: x[1] is the value one bar ago"),
        ("lines.__len__", "column 1: there is no output __len__"),
        ("lines._fields", "column 1: there is no output _fields"),
        ("lines[0]", "column 1: macd has several outputs, name one: .macd, .signal, .histogram"),
        ("lines > 1", "column 1: macd has several outputs"),
        ("bar._field", "column 1: write _field in the place of bar._field"),
        ("bar > 1", "column 1: bar goes into a function"),
        ("__import__('os').system('true')", "column 1: a series has no system"),
        ("open('/etc/passwd')", "column 1: open is no function"),
        ("exec('1')", "column 1: there is no function exec"),
        ("eval('1')", "column 1: there is no function eval"),
        ("getattr(close, 'op')", "column 1: there is no function getattr"),
        ("close > open & close > 1", "column 9: write and, which joins comparisons"),
        ("close > open | close > 1", "column 9: write or, which joins comparisons"),
        ("ta.ema(close, 3)", "column 1: write ema(...) without ta."),
        ("ta.own.indicator(close)", "column 1: a series has no indicator"),
        ("(lambda: close)()", "column 1: this cannot be part of an expression"),
        ("lambda: close", "column 1: an expression defines nothing"),
        ("[x for x in close]", "column 1: this cannot be part of an expression"),
        ("{x: 1 for x in close}", "column 1: this cannot be part of an expression"),
        ("(x for x in close)", "column 1: this cannot be part of an expression"),
        ("ema(*close)", "column 5: this cannot be part of an expression"),
        ("ema(**close)", "column 1: this cannot be part of an expression"),
        ("(x := close)", "column 2: an expression names nothing"),
        ("f'{close}'", "column 1: this cannot be part of an expression"),
        ("close if 1 else 2", "column 1: write where(condition, a, b)"),
        ("9 ** 9 ** 9", "column 1: write pow(x, y)"),
        ("'a' * 999999999", "column 1: 'a' is a text"),
        ("[1] * 999999999", "column 1: this cannot be part of an expression"),
        ("9" * 400, "column 1: this number is too large"),
        ("9" * MOST_CHARACTERS, "column 1: this number is too large"),
        ("1e999", "column 1: this number is too large"),
        ("1" * (MOST_CHARACTERS + 1), "it has 4001 characters, at most 4000 were expected"),
        ("(" * 300 + "1" + ")" * 300, "column "),
        ("-" * (MOST_CHARACTERS - 1) + "1", "it cannot be read"),
        ("-" * MOST_LEVELS + "1", f"column {MOST_LEVELS + 1}: more than {MOST_LEVELS} levels"),
        ("\uff41verage > 1", "column 1: '\uff41verage' is not in plain letters"),
        ("cl\u043ese > 1", "column 1: 'cl\u043ese' is not in plain letters"),
        ("close > 1 # and more", "column 11: a comment belongs outside of the quotes"),
        ("close\0", "column "),
        ("1 < close < 2", "column 1: two comparisons in one: write a < b and b < c"),
        ("close is open", "column 1: this cannot be part of an expression"),
        ("(close > 1) & (open > 1)", "column 1: write and"),
        ("~(close > 1)", "column 1: write not"),
        ("close and open", "column 1: a number is no condition"),
        ("open > 1 and close", "column 14: a number is no condition"),
        ("-(close > 1)", "column 1: a condition has no sign"),
        ("true + 1", "column 1: true and false are no numbers"),
        ("close[-1]", "column 1: x[-1] would look into the future"),
        ("close[1:]", "column 1: x[...] takes a number of bars back"),
        ("length[1]", "column 1: a number is the same on each bar"),
        ("1 / 0", "column 1: this cannot be computed: division by zero"),
        ("None", "column 1: None is no number"),
        ("ema", "column 1: ema is a function, write ema(...)"),
        ("closs > 1", "column 1: there is no closs (did you mean close?)"),
        ("  emaa(close, 3)", "column 3: there is no function emaa (did you mean ema?)"),
        ("ema(close, 0)", "column 1: ta.ema: length must be a whole number"),
        ("where(close > 1, 2)", "column 1: where takes condition, a, b"),
        ('on("7x", close)', "column 1: bar.on('7x'): timeframe '7x'"),
        ("on(close, close)", 'column 4: a timeframe in quotes, such as "1h" was expected'),
        ('on("1h", on("4h", close))', "column 10: bar.on('4h') goes on the bar given to define"),
        ('on("1h", close > average)', "column 18: average is not of the bars that are spoken of here"),
        ('on("1h", close > of("X", close))', "column 10: on(...) takes a series of those bars alone"),
        ('on("1h", 5)', "column 10: on(...) takes a series of those bars alone"),
        ('on("1h")', "column 1: on takes two things, such as on"),
        ('hour_in("Mars")', "column 1: 'Mars' is no time zone"),
        ('session("9-5")', "column 1: a session is hours such as"),
        ("   ", "it is empty, an expression in quotes was expected"),
    ],
)
def test_anything_else_is_refused_in_one_sentence_with_its_column(text: str, sentence: str) -> None:
    with pytest.raises(TextError) as refused:
        Expression(text).value(NAMES)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


def test_comparisons_in_each_other_are_read_once() -> None:
    text = "close > 1"
    for _ in range(30):
        text = f"({text}) == true"
    assert isinstance(Expression(text).value({}), Node)


def test_a_column_counts_characters_also_behind_letters_of_two_bytes() -> None:
    with pytest.raises(TextError, match="column 19: there is no opne"):
        Expression('of("ÄÖ", close) > opne').value({})
