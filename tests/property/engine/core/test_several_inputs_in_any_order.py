"""Bars of several inputs come late and in any order; what a strategy knows is what their history gives."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.several_inputs import FIRST_NS, MINUTE_NS, OTHER, OWN, SeveralInputs

MINUTES = 7
SERIES = [(OWN, "1m", 1), (OWN, "5m", 5), (OTHER, "1m", 1), (OTHER, "5m", 5)]
Coming = list[tuple[float, str, str, int]]


@st.composite
def coming(draw: st.DrawFn, delays: list[float]) -> Coming:
    """Seconds after `FIRST_NS`, symbol, timeframe and minute of each bar, in the order in which they come."""
    found = []
    for symbol, timeframe, length in SERIES:
        at = 0.0
        for minute in range(length - 1, MINUTES, length):
            at = max(at, (minute + 1) * 60 + draw(st.sampled_from(delays)))
            found.append((at, symbol, timeframe, minute))
    return sorted(draw(st.permutations(found)), key=lambda one: one[0])


def run(bars: Coming, *, answers: bool) -> SeveralInputs:
    several = SeveralInputs().begin()
    several.answers = answers
    for at, symbol, timeframe, minute in bars:
        several.to(at / 60).stream(symbol, minute, timeframe)
    return several


@settings(max_examples=8, deadline=None)
@given(coming([0.0, 0.1, 0.3, 0.9, 1.5, 1.9]))
def test_within_two_seconds_every_decision_is_that_of_the_history(bars: Coming) -> None:
    several = run(bars, answers=False)
    assert list(several.signals()) == list(range(MINUTES))
    assert "suspect" not in {signal.fate for signal in several.signals().values()}
    assert several.differing() == []


@settings(max_examples=8, deadline=None)
@given(coming([0.0, 0.3, 2.5, 30.0, 130.0]))
def test_in_the_end_it_knows_what_the_history_gives_and_no_decision_was_skipped_or_made_twice(
    bars: Coming,
) -> None:
    several = run(bars, answers=True)
    several.to(MINUTES + 3.5)
    assert several.remembers()
    assert list(several.signals()) == sorted(several.signals())
    newest = several.slot.fed_open_ns
    assert newest[OWN, MINUTE_NS] == newest[OTHER, MINUTE_NS] == FIRST_NS + (MINUTES + 2) * MINUTE_NS
