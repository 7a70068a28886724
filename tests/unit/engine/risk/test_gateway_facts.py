"""What the gateway says of itself is looked at again only where it has moved a gate."""

import pytest

from tests.support.engine_rig import Rig

UP = {"public": "up", "market": "up", "private": "up", "rest": "up"}
NOTHING_NEW: dict[str, dict[str, object]] = {
    "the time": {"time_ns": 2_000_000_000_000_000_000},
    "requests, and there is room": {"budget_used": 100},
    "a clock that is still known well": {"clock_uncertainty_ns": 2_000_000},
    "counts of ticks": {"conflated_ticks": 5, "dropped_market_events": 2, "resyncs": 1},
}
GATE_MOVED: dict[str, dict[str, object]] = {
    "private stream": {"streams": {**UP, "private": "down"}},
    "requests": {"streams": {**UP, "rest": "down"}},
    "no room for requests": {"budget_used": 2_300},
    "a clock that is not known": {"clock_uncertainty_ns": 10**12},
    "a clock that is far off": {"clock_offset_ns": 10**12},
    "no fresh book": {"fresh": ()},
    "keys": {"keys_refused": "-2015"},
    "what cannot be answered": {"unanswered": "maintenance"},
    "asset mode": {"multi_assets_margin": True},
}


@pytest.mark.parametrize("name", [*NOTHING_NEW, *GATE_MOVED])
def test_a_report_says_whether_it_has_moved_a_gate(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig().up()
    looked: list[None] = []
    monkeypatch.setattr(rig.engine.gate_reporter, "look_soon", lambda: looked.append(None))
    rig.status(**(NOTHING_NEW | GATE_MOVED)[name])  # type: ignore[arg-type]
    assert bool(looked) == (name in GATE_MOVED)
