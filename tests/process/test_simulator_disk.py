"""A disk that takes nothing more ends the simulator with one sentence, and nothing answered is lost."""

import contextlib
import http.client
import sys
from pathlib import Path

import pytest

from tests.process.simulator_process import PATIENCE_S, simulator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits what another process may write")


def test_it_says_which_folder_and_why_and_the_next_start_has_all_that_was_answered(tmp_path: Path) -> None:
    import resource

    with simulator(tmp_path) as sim:
        before = sim.signed("GET", "/fapi/v2/account").json["totalWalletBalance"]
        resource.prlimit(sim.process.pid, resource.RLIMIT_FSIZE, (1, 1))
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert sim.command("POST", "balance", '{"amount": "5"}').status == 500
        assert sim.process.wait(PATIENCE_S) == 1
        said = sim.process.stderr.read()
    assert said == f"simulator: {tmp_path}: File too large\n"
    with simulator(tmp_path) as sim:
        assert sim.signed("GET", "/fapi/v2/account").json["totalWalletBalance"] == before
