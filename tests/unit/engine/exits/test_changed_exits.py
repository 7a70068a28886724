"""Exit rules as a configuration states them."""

import pytest

from engine.core.engine import Engine
from engine.exits.changed import ExitsRefused, changed_exits
from engine.model.exit_rules import ExitRules, PartialExit, RoiStep
from engine.strategies.slot import StrategyRefused
from tests.support.engine_rig import config, spec


def test_every_rule_can_be_stated_as_toml_or_json_has_it() -> None:
    stated = {
        "stop_kind": "resting",
        "trailing_r": 3,
        "trailing_r_of": "bar",
        "trailing_after_percent": 1.5,
        "break_even_at_percent": 2,
        "break_even_offset_percent": 0,
        "partial_exits": [{"at_r": 1, "fraction": 0.5}],
        "minimal_roi": [{"after_minutes": 0, "percent": 4}, {"after_minutes": 40, "percent": -1}],
        "exit_time": "15:55",
        "exit_timezone": "America/New_York",
    }
    assert changed_exits(ExitRules(stop_r=2.0), stated) == ExitRules(
        stop_r=2.0,
        stop_kind="resting",
        trailing_r=3.0,
        trailing_r_of="bar",
        trailing_after_percent=1.5,
        break_even_at_percent=2.0,
        break_even_offset_percent=0.0,
        partial_exits=(PartialExit(1.0, 0.5),),
        minimal_roi=(RoiStep(0.0, 4.0), RoiStep(40.0, -1.0)),
        exit_time="15:55",
        exit_timezone="America/New_York",
    )


def test_a_table_of_roi_may_be_written_as_minutes_and_percents() -> None:
    found = changed_exits(ExitRules(), {"minimal_roi": {"0": 4, "40": 0}})
    assert found.minimal_roi == (RoiStep(0.0, 4.0), RoiStep(40.0, 0.0))


WRONG: list[tuple[dict[str, object], str]] = [
    ({"trail": 1}, "exits.trail: no such rule (did you mean trailing_r?); allowed: allow_flip, "),
    ({"trailing_r": 0}, "exits.trailing_r: 0.0, expected a number above zero"),
    ({"trailing_r_of": "day"}, "exits.trailing_r_of is 'day', it should be 'entry' or 'bar'"),
    (
        {"break_even_offset_percent": -1},
        "exits.break_even_offset_percent: -1.0, expected a number above zero",
    ),
    ({"exit_time": "25:00"}, "exits.exit_time is '25:00', it should be a time of day such as 15:55"),
    ({"exit_time": "9:30"}, "exits.exit_time is '9:30', it should be a time of day such as 15:55"),
    ({"exit_timezone": "Mars/Base"}, "exits.exit_timezone: there is no time zone 'Mars/Base', it should be"),
    ({"exit_timezone": "../UTC"}, "exits.exit_timezone: there is no time zone '../UTC', it should be"),
    ({"minimal_roi": {"soon": 4}}, "exits.minimal_roi[0].after_minutes is 'soon', it should be a number"),
    ({"minimal_roi": {"-5": 4}}, "exits.minimal_roi: expected after_minutes of zero or more and a percent"),
    ({"minimal_roi": {"0": -100}}, "exits.minimal_roi: expected after_minutes of zero or more and a percent"),
]


@pytest.mark.parametrize(("changes", "sentence"), WRONG)
def test_what_is_no_rule_is_one_sentence_also_when_an_engine_starts(
    changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ExitsRefused) as refused:
        changed_exits(ExitRules(), changes)
    assert str(refused.value).startswith(sentence)
    with pytest.raises(StrategyRefused) as refused_live:
        Engine(config(spec(exits=changes, key="strategies[0]")))
    assert str(refused_live.value).startswith(f"strategies[0].{sentence}")


def test_rules_of_a_configuration_take_the_place_of_the_strategys_own() -> None:
    engine = Engine(config(spec(exits={"stop_loss_percent": 7, "cooldown_bars": 3})))
    (trader,) = engine.trades.traders.values()
    rules = trader.protection.plan.rules
    assert (rules.stop_loss_percent, rules.cooldown_bars) == (7.0, 3)
    assert trader.slot.strategy.exit_rules.cooldown_bars != 3
