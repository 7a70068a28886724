"""The status tells what there was when this engine started, so that its own part can be seen."""

from decimal import Decimal

from engine.core.engine import Engine
from engine.shell.status import StatusKeeper
from runtime.control.status import StartMoney
from tests.support.engine_rig import Rig, config
from tests.unit.engine.core.test_engine_restarts import UP, restarted


def test_an_engine_that_goes_on_with_a_journal_starts_with_what_that_knows() -> None:
    rig = Rig(Engine(config()))
    fresh = StatusKeeper(rig.engine)
    assert fresh.status(rig.now_ns).at_start == StartMoney("0", "0", "0", None)
    rig.up().prices(*UP)
    fresh.observe(())
    first = fresh.status(rig.now_ns)
    assert first.at_start is not None
    assert first.at_start.wallet_balance == first.wallet_balance is not None
    assert Decimal(first.fees or 0) > 0
    again = restarted(rig, config())
    second = StatusKeeper(again.engine).status(again.now_ns)
    assert second.at_start is not None
    assert (second.at_start.fees, second.at_start.realised_pnl) == (first.fees, first.realised_pnl)
