"""Rules that the configuration switches on by their name."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import engine.risk.rules
from engine.core.engine import Engine
from engine.model.limits import RiskLimits
from engine.risk.configured import RuleRefused, configured_rules
from engine.risk.manager import RiskManager
from tests.support.engine_rig import config, spec
from tests.support.order_events import intent
from tests.support.risk_facts import risk_context

MOST_BASE = """
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from engine.risk.rules.rule import ConfiguredRule, RuleParams


class Params(RuleParams):
    limit: Annotated[Decimal, Field(gt=0)]


class MostBase(ConfiguredRule):
    name: ClassVar[str] = "most_base"
    Params = Params

    def __init__(self, params):
        if params.limit == 13:
            raise RuntimeError("not that one")
        self._limit = params.limit

    def check(self, order, context):
        if self._limit == 99:
            raise ZeroDivisionError("no such thing")
        return f"more than {self._limit}" if order.qty_base > self._limit else ""
"""


@pytest.fixture(autouse=True)
def _one_more_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "most_base.py").write_text(MOST_BASE, "utf-8")
    (tmp_path / "other_name.py").write_text(MOST_BASE, "utf-8")
    (tmp_path / "unreadable.py").write_text("def (", "utf-8")
    monkeypatch.setattr(engine.risk.rules, "__path__", [*engine.risk.rules.__path__, str(tmp_path)])
    yield
    for name in ("most_base", "other_name"):
        sys.modules.pop(f"engine.risk.rules.{name}", None)


def limits(**most_base: object) -> RiskLimits:
    return RiskLimits(rules={"most_base": most_base})


def refusal(**rules: dict[str, object]) -> str:
    with pytest.raises(RuleRefused) as refused:
        configured_rules(rules)
    return str(refused.value)


def test_a_rule_of_the_configuration_vetoes_under_its_name():
    risk = RiskManager(limits(limit=0.5))
    assert risk.rule_names[-1] == "most_base"
    assert risk.validate_order(intent(qty_base=Decimal("0.5")), risk_context()).allowed
    verdict = risk.validate_order(intent(qty_base=Decimal("0.6")), risk_context())
    assert (verdict.rule, verdict.reason) == ("most_base", "more than 0.5")


def test_it_does_not_keep_a_position_from_being_closed():
    verdict = RiskManager(limits(limit=0.5)).validate_order(
        intent(qty_base=Decimal(9), reduce_only=True), risk_context()
    )
    assert verdict.allowed


def test_a_rule_that_raises_vetoes_and_says_where():
    verdict = RiskManager(limits(limit=99)).validate_order(intent(), risk_context())
    assert not verdict.allowed
    assert verdict.reason.startswith(
        "the rule has failed: ZeroDivisionError: no such thing (most_base.py line "
    )


def test_what_is_wrong_in_the_configuration_is_one_sentence_with_its_key():
    assert refusal(most_base={"limit": -1}) == (
        "risk.rules.most_base.limit is -1, it should be greater than 0"
    )
    assert refusal(most_base={}) == "risk.rules.most_base.limit is missing"
    assert refusal(most_base={"limit": 1, "lmit": 2}) == (
        "risk.rules.most_base.lmit is not a known key (did you mean limit?); allowed: limit"
    )
    assert refusal(nothing={}).startswith(
        "risk.rules.nothing: there is no rule 'nothing' in engine/risk/rules; allowed: most_base, other_name"
        "; engine/risk/rules/unreadable.py cannot be imported: SyntaxError: "
    )
    assert "(did you mean most_base?); allowed: most_base" in refusal(mots_base={})
    for name in ("leverage", "rule"):
        assert refusal(**{name: {}}) == (
            f"risk.rules.{name}: engine/risk/rules/{name}.py holds no rule that a configuration can name"
        )
    assert refusal(most_base={"limit": 13}).startswith(
        "risk.rules.most_base: the rule cannot be made: RuntimeError: not that one (most_base.py line "
    )
    assert refusal(other_name={"limit": 1}) == (
        "risk.rules.other_name: MostBase in other_name.py must be named 'other_name', as its file is"
    )
    assert refusal(unreadable={}).startswith(
        "risk.rules.unreadable: engine/risk/rules/unreadable.py cannot be imported: SyntaxError: "
    )


def test_the_engine_does_not_start_with_a_rule_that_cannot_be_made():
    with pytest.raises(RuleRefused, match="limit is missing"):
        Engine(config(spec(), limits=limits()))
