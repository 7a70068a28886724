"""Legs and causes are read back from their texts as they were, whatever the text: journals hold them."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.model.cause import Cause, Moment
from engine.model.leg import (
    CLOSE,
    ENTRY,
    FLATTEN,
    STOP,
    TARGET,
    TRY,
    Leg,
    partial_exit,
    resting_entry,
    script_exit,
)
from engine.model.records import Intent
from tests.support import earlier_files as earlier
from tests.support.journal_rig import read_records

ids = st.text(min_size=1, max_size=30) | st.sampled_from(
    ["L", "a:b", "entry:L", "x:stop", "limit", "rest:stop"]
)
counts = st.integers(0, 999_999_999)
exits = st.builds(script_exit, ids, st.sampled_from(["limit", "stop"]), st.integers(1, 999_999_999))
resting = (
    st.sampled_from([STOP, TARGET]) | st.builds(partial_exit, counts) | st.builds(resting_entry, ids) | exits
)
legs = (
    st.sampled_from([ENTRY, CLOSE, FLATTEN, TRY])
    | st.builds(lambda kind, one: Leg(kind, id=one), st.sampled_from(["entry", "close"]), ids)
    | resting
    | exits.map(lambda leg: leg.met)
    | st.builds(Leg.past_stop, resting, counts)
)
causes = (
    st.builds(Cause.bar, counts, counts)
    | st.builds(Cause.command, st.text())
    | st.builds(Cause.fill, st.text(), counts)
    | st.builds(Cause.at, st.sampled_from(["adjusted", "told", "rules", "stop-check"]), counts)
)
KINDS = {"bar", "command", "fill", *get_args(Moment)}
words = ["entry", "close", "rest", "met", "past-stop0", "exit", "stop", "limit", "stop2", "partial0", "x", ""]
texts = st.text(max_size=30) | st.lists(st.sampled_from(words), max_size=5).map(":".join)


@given(legs)
@example(STOP.past_stop(0))
def test_a_leg_is_read_back_as_it_was(leg: Leg):
    assert Leg.parse(leg.text) == leg


@given(causes)
def test_a_cause_is_read_back_as_it_was(cause: Cause):
    assert Cause.parse(cause.text) == cause
    assert Cause.parse(cause.again(5).text) == cause.again(5)


@given(texts)
@example("exit:a:limit")
@example("rest:exit:a:stop1")
@example("rest:partial01")
@example("rest:partial" + 5_000 * "9")
@example("past-stop0:stop")
@example("entry:")
def test_every_text_is_a_leg_and_a_cause_that_keep_it(text: str):
    assert Leg.parse(text).text == text
    assert Cause.parse(text).text == text


def test_the_texts_are_those_that_journals_hold():
    told = {
        "entry": ENTRY,
        "entry:L": Leg("entry", id="L"),
        "close:L": Leg("close", id="L"),
        "rest:stop": STOP,
        "rest:target": TARGET,
        "rest:partial0": partial_exit(0),
        "rest:entry:L": resting_entry("L"),
        "rest:exit:TP:limit": script_exit("TP", "limit", 1),
        "rest:exit:TP:stop2": script_exit("TP", "stop", 2),
        "met:exit:TP:limit": script_exit("TP", "limit", 1).met,
        "past-stop0": STOP.past_stop(0),
        "past-stop3:exit:TP:stop": script_exit("TP", "stop", 1).past_stop(3),
    }
    for text, leg in told.items():
        assert (leg.text, Leg.parse(text)) == (text, leg)


def test_a_cause_says_which_bar_it_is():
    assert Cause.parse("bar:1000000000:17").bar_open_time_ns == 17
    assert Cause.parse("fill:BTCUSDT:17").bar_open_time_ns is None
    assert Cause.parse("command:c1").again(17).text == "command:c1:17"


@pytest.mark.parametrize("name", ["demo", "lost_records", "every_record"])
def test_what_journals_of_earlier_versions_hold_is_known(name: str, tmp_path: Path):
    records = read_records(earlier.unpacked(name, tmp_path) / "journal")
    intents = [record for _, record in records if isinstance(record, Intent)]
    assert intents
    for intent in intents:
        leg, cause = Leg.parse(intent.leg), Cause.parse(intent.cause)
        assert (leg.text, cause.text) == (intent.leg, intent.cause)
        assert name == "every_record" or (leg.kind != "other" and cause.kind in KINDS)
