"""The rows of docs/assumptions.md about prices of signals, trailing, break-even, ROI and time of day."""

from dataclasses import replace
from math import nan

import pytest

from engine.model.broker_settings import EntryOrder, Sizing
from engine.model.exit_rules import ExitRules, RoiStep
from tests.support.assumed import LONG, PLAIN, RESTING, SHORT, Row, flat, out, run, say, shows

LEVELS = "Signal strategies: levels"
DIP: Row = (100, 100.5, 90, 95)
RISE: Row = (100, 110, 99.5, 105)


@shows(LEVELS, "stop and target of the signal")
def test_a_signal_places_its_own_stop_and_target():
    def outs(
        flags: int, *last: Row, rules: ExitRules = RESTING, **levels: float
    ) -> list[tuple[int, float, str]]:
        said = say(flags, stop_long=96.0, stop_short=104.0, target_long=103.0, target_short=97.0, **levels)
        return [out(t) for t in run([*flat(100, 100), *last], {0: said}, rules).trades]

    assert outs(LONG, DIP) == [(2, 96.0, "SL")]
    assert outs(LONG, RISE) == [(2, 103.0, "TP")]
    assert outs(SHORT, DIP) == [(2, 97.0, "TP")]
    assert outs(SHORT, RISE) == [(2, 104.0, "SL")]
    tighter = replace(RESTING, stop_loss_percent=2.0, take_profit_percent=1.0)
    assert outs(LONG, DIP, rules=tighter) == [(2, 98.0, "SL")]
    assert outs(LONG, RISE, rules=tighter) == [(2, 101.0, "TP")]
    closed = ExitRules()
    assert outs(LONG, DIP, *flat(95), rules=closed) == [(3, 95.0, "SL")]
    assert outs(LONG, RISE, *flat(105), rules=closed) == [(3, 105.0, "TP")]


def test_an_atr_multiple_is_a_stop_by_r_and_measured_from_the_fill():
    rows: list[Row] = [*flat(100), (102, 102.5, 101.5, 102), DIP]
    atr = 1.5
    stopped = run(rows, {0: say(LONG, r=2 * atr)}, replace(RESTING, stop_r=1.0, take_profit_r=2.0))
    assert out(stopped.trades[0]) == (2, 99.0, "SL")


@shows(LEVELS, '`signal_levels = "bar"`')
def test_the_signals_of_later_bars_move_stop_and_target():
    rows: list[Row] = [*flat(100, 100, 100), (100, 103, 97, 100), *flat(100)]
    said = {
        0: say(LONG, stop_long=95.0, target_long=110.0),
        1: say(0, stop_long=98.0, target_long=101.0, stop_short=101.0, target_short=99.5),
        2: say(0, stop_long=94.0, target_long=102.0),
    }
    assert run(rows, said, RESTING).trades == ()
    moved = replace(RESTING, signal_levels="bar")
    assert out(run(rows, said, moved).trades[0]) == (3, 98.0, "SL")  # 94 is no tighter stop than 98
    up: list[Row] = [*flat(100, 100, 100), (100, 103, 99.5, 103), *flat(100)]
    assert out(run(up, said, moved).trades[0]) == (3, 102.0, "TP")  # the target goes where it is said to be
    assert out(run(up, said | {2: say(0)}, moved).trades[0]) == (3, 101.0, "TP")  # nothing said: it stays


@shows(LEVELS, "trailing", "`trailing_after_percent`, `trailing_after_r`")
def test_trailing_by_r_and_after_a_profit():
    rows: list[Row] = [*flat(100, 100), (100, 104, 100, 104), (104, 104, 98, 99)]

    def left(r: float = nan, **rules: object) -> list[tuple[int, float, str]]:
        return [out(t) for t in run(rows, {0: say(LONG, r=r)}, replace(RESTING, **rules)).trades]

    assert left(trailing_percent=1.0) == [(3, 102.5, "SL")]
    assert left(r=2.0, trailing_r=1.5) == [(3, 101.0, "SL")]
    assert left(trailing_r=1.5) == []
    assert left(r=2.0, trailing_r=1.5, trailing_percent=5.0) == [(3, 101.0, "SL")]
    assert left(trailing_percent=2.0, trailing_after_percent=4.0) == [(3, 101.5, "SL")]
    assert left(trailing_percent=2.0, trailing_after_percent=4.5) == []
    assert left(r=2.0, trailing_percent=2.0, trailing_after_r=2.0) == [(3, 101.5, "SL")]
    assert left(r=2.0, trailing_percent=2.0, trailing_after_r=2.5) == []
    assert left(trailing_percent=2.0, trailing_after_r=0.5) == []
    assert left(r=2.0, trailing_percent=2.0, trailing_after_percent=1.0, trailing_after_r=9.0) == []


@shows(LEVELS, '`trailing_r_of = "bar"`')
def test_a_chandelier_exit_trails_by_the_volatility_of_each_bar():
    rows: list[Row] = [*flat(100, 100), (100, 104, 100, 104), (104, 104, 103, 104), (104, 104, 98, 99)]
    rules = replace(RESTING, trailing_r=2.0, trailing_r_of="bar")
    calm = {0: say(LONG, r=3.0), 2: say(0, r=2.5), 3: say(0, r=1.0)}
    assert out(run(rows, calm, rules).trades[0]) == (4, 102.0, "SL")
    wilder = calm | {3: say(0, r=4.0)}
    assert out(run(rows, wilder, rules).trades[0]) == (4, 99.0, "SL")
    assert out(run(rows, calm | {3: say(0)}, rules).trades[0]) == (4, 99.0, "SL")


@shows(LEVELS, "break-even")
def test_break_even_by_percent_and_beyond_the_entry_price():
    rows: list[Row] = [*flat(100, 100), (100, 103, 100, 103), (103, 103, 95, 96)]
    rules = replace(RESTING, stop_loss_percent=4.0)

    def left(**more: object) -> tuple[int, float, str]:
        return out(run(rows, {0: say(LONG)}, replace(rules, **more)).trades[0])

    assert left(break_even_at_percent=3.0) == (3, 100.0, "SL")
    assert left(break_even_at_percent=3.5) == (3, 96.0, "SL")
    assert left(break_even_at_percent=3.0, break_even_offset_percent=0.5) == (3, 100.5, "SL")
    short: list[Row] = [*flat(100, 100), (100, 100, 97, 97), (97, 105, 97, 104)]
    mirrored = replace(rules, break_even_at_percent=3.0, break_even_offset_percent=0.5)
    assert out(run(short, {0: say(SHORT)}, mirrored).trades[0]) == (3, 99.5, "SL")


def test_break_even_at_no_distance_is_reached_though_price_has_gained_nothing():
    rows: list[Row] = [*flat(100), (100, 100, 99.5, 100), *flat(100)]
    rules = replace(RESTING, break_even_at_r=1.0)
    assert out(run(rows, {0: say(LONG, r=0.0)}, rules).trades[0]) == (2, 100.0, "SL")
    assert run(rows, {0: say(LONG, r=1.0)}, rules).trades == ()


LOSING: list[Row] = [(100, 100, 98, 98), *flat(98, 98, 98, 98)]
ROI = (RoiStep(120, 1.0), RoiStep(0, 4.0), RoiStep(240, 0.0))


@shows(LEVELS, "`minimal_roi`")
@pytest.mark.parametrize(
    ("rows", "resting", "closed"),
    [
        ([(100, 104, 99.5, 103), *flat(103, 103)], (1, 104.0, "ROI"), (2, 103.0, "ROI")),
        ([*flat(100), (100, 101, 99, 100), *flat(100, 100, 100)], (5, 100.0, "ROI"), (3, 100.0, "ROI")),
        ([*flat(100, 100), (100, 101, 99.5, 100), *flat(100)], (3, 101.0, "ROI"), (4, 100.0, "ROI")),
        ([*flat(100, 102), *flat(103, 103)], (3, 103.0, "ROI"), (3, 103.0, "ROI")),
        (
            [(100, 100, 98, 98), *flat(98, 98, 98, 98), (98, 100, 98, 99), *flat(99)],
            (6, 100.0, "ROI"),
            (7, 99.0, "ROI"),
        ),
    ],
)
def test_less_profit_is_enough_the_longer_a_position_is_held(
    rows: list[Row], resting: tuple[int, float, str], closed: tuple[int, float, str]
) -> None:
    bars = [*flat(100), *rows]
    assert out(run(bars, {0: say(LONG)}, replace(RESTING, minimal_roi=ROI)).trades[0]) == resting
    assert out(run(bars, {0: say(LONG)}, ExitRules(minimal_roi=ROI)).trades[0]) == closed


def test_the_nearer_of_target_and_roi_names_the_exit():
    rules = replace(RESTING, minimal_roi=(RoiStep(0, 4.0),))
    near, far = replace(rules, take_profit_percent=3.0), replace(rules, take_profit_percent=5.0)
    rows = [*flat(100, 100), RISE]
    assert out(run(rows, {0: say(LONG)}, near).trades[0]) == (2, 103.0, "TP")
    assert out(run(rows, {0: say(LONG)}, far).trades[0]) == (2, 104.0, "ROI")


@shows("Signal strategies: decisions", "5f")
@shows(LEVELS, "`exit_time`")
def test_a_position_is_left_at_a_time_of_day():
    """Bar k of hours opens at k:00 UTC."""
    rows = flat(*[100] * 32)
    rules = ExitRules(exit_time="04:00")
    assert out(run(rows, {0: say(LONG)}, rules).trades[0]) == (4, 100.0, "Time Exit")
    assert out(run(rows, {0: say(LONG)}, replace(rules, exit_time="03:30")).trades[0])[0] == 4
    assert out(run(rows, {3: say(LONG)}, rules).trades[0]) == (28, 100.0, "Time Exit")
    there = replace(rules, exit_time="09:30", exit_timezone="Asia/Kolkata")  # 5 h 30 min ahead
    assert out(run(rows, {0: say(LONG)}, there).trades[0])[0] == 4
    held = replace(rules, max_holding_bars=2)
    assert out(run(rows, {0: say(LONG)}, held).trades[0]) == (4, 100.0, "Max Hold")
    flipped = run(rows, {0: say(LONG), 2: say(SHORT)}, rules).trades
    assert [out(t) for t in flipped] == [(3, 100.0, "Flip"), (4, 100.0, "Time Exit")]


@shows("Sizing", "`by_strength`")
@pytest.mark.parametrize(
    ("strength", "qty"),
    [(0.5, 1.0), (0.26, 0.5), (1.0, 2.0), (7.0, 2.0), (nan, 2.0), (0.0, 0.0), (-1.0, 0.0)],
)
def test_an_entry_may_be_as_large_as_its_signal_is_strong(strength: float, qty: float):
    for sizing in (Sizing("fixed", 2.0), Sizing("cash", 200.0), Sizing("risk_percent", 2.0)):
        settings = replace(PLAIN, initial_capital=100.0, sizing=sizing)
        said = {0: say(LONG, r=1.0, strength=strength)}
        assert sum(t.qty for t in run(flat(100, 100), said, settings=settings).open_trades) == 2.0
        by_strength = replace(settings, sizing=replace(sizing, by_strength=True))
        assert sum(t.qty for t in run(flat(100, 100), said, settings=by_strength).open_trades) == qty


LIMIT = "Entries at the signal's price"


@shows(LIMIT, "price", "waits")
def test_an_entry_waits_at_its_price_through_the_next_bar():
    rows: list[Row] = [*flat(100, 100), (100, 100, 97, 99), *flat(99)]
    said = say(LONG, limit_long=98.2)
    assert run(rows, {0: said}).open_trades == ()
    trade = run(rows, {1: said}).open_trades[0]
    assert (trade.entry_bar, trade.entry_price, trade.entry_signal) == (2, 98.0, "Long Entry")
    assert run(rows, {0: said, 1: say(LONG)}).open_trades[0].entry_price == 100.0
    again = run(rows, {0: said, 1: say(LONG, limit_long=97.5)}).open_trades[0]
    assert (again.entry_bar, again.entry_price) == (2, 97.5)
    above = run(rows, {1: say(LONG, limit_long=101.0)}).open_trades[0]
    assert (above.entry_bar, above.entry_price) == (2, 100.0)
    short = run([*flat(100, 100), RISE], {1: say(SHORT, limit_short=104.7, limit_long=1.0)}).open_trades[0]
    assert (short.direction, short.entry_price) == (-1, 105.0)
    assert run(rows, {1: say(LONG, limit_long=0.2)}).open_trades == ()


@shows(LIMIT, "instead of `EntryOrder`", "size")
def test_the_price_of_a_signal_goes_before_the_brokers_kind_of_entry():
    rows: list[Row] = [*flat(100, 100), (100, 100, 90, 99), *flat(99)]
    settings = replace(PLAIN, entry=EntryOrder("limit", 2.0, valid_bars=3), sizing=Sizing("cash", 950.0))
    trade = run(rows, {0: say(LONG, limit_long=95.0)}, settings=settings)
    assert (trade.trades, trade.open_trades) == ((), ())
    trade = run(rows, {1: say(LONG, limit_long=95.0)}, settings=settings).open_trades[0]
    assert (trade.entry_price, trade.qty) == (95.0, 10.0)
    assert run(rows, {1: say(LONG)}, settings=settings).open_trades[0].entry_price == 98.0


@shows(LIMIT, "flip")
def test_a_flip_leaves_at_the_market_and_its_entry_waits():
    rows: list[Row] = [*flat(100, 100, 100), (100, 103, 100, 102), *flat(102)]
    result = run(rows, {0: say(LONG), 1: say(SHORT, limit_short=102.0), 2: say(SHORT, limit_short=102.0)})
    assert out(result.trades[0]) == (2, 100.0, "Flip")
    trade = result.open_trades[0]
    assert (trade.entry_bar, trade.entry_price, trade.entry_signal) == (3, 102.0, "Short Entry")


@shows(LIMIT, "`dedupe_tags`")
def test_a_tag_is_entered_when_its_entry_fills():
    rows: list[Row] = [*flat(100, 100), (100, 100, 97, 99), *flat(99, 99, 99)]
    said = say(LONG, "setup", limit_long=98.0)
    rules = replace(RESTING, dedupe_tags=True, max_holding_bars=0)
    result = run(rows, dict.fromkeys(range(5), said), rules)
    assert [(t.entry_bar, t.exit_bar) for t in result.trades] == [(2, 3)]
    assert result.open_trades == ()


def test_an_entry_inside_a_bar_can_be_left_in_the_rest_of_it():
    rows: list[Row] = [*flat(100), (100, 103, 97, 102)]
    said = say(LONG, limit_long=98.0, target_long=101.0, stop_long=90.0)
    assert [out(t) for t in run(rows, {0: said}, RESTING).trades] == [(1, 101.0, "TP")]
