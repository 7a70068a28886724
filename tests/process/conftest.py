"""A simulator that the tests of one module share, put in order after each."""

from collections.abc import Iterator

import pytest

from tests.process.simulator_process import Simulator, simulator


@pytest.fixture(scope="module")
def shared_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def sim(shared_simulator: Simulator) -> Iterator[Simulator]:
    """Hand out the shared simulator; no fault, limit, skew or order outlives the test."""
    sim = shared_simulator
    yield sim
    sim.control("DELETE", "faults")
    sim.control("POST", "clock", skew_ms=0)
    sim.control("POST", "limits", reset=True, ban_after=50)
    sim.ask("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    sim.ask("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT")
    sim.control("POST", "limits", reset=True)
