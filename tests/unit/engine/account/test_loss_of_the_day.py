"""What changes the balance and is no transfer counts in the loss of the day; a liquidation is named."""

from decimal import Decimal

import msgspec
import pytest

from engine.account.state import AccountStateStore
from engine.core.engine import Engine
from engine.model.audit import Notice
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.model.timeframes import SECOND_NS
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config

D = Decimal
UP = (100, 99, 98, 100, 101)
LIMITS = RiskLimits(max_daily_loss_quote=D(50))


def change(reason: str, amount: str, asset: str = "USDT", time_ns: int = START_NS) -> wire.AccountUpdate:
    balance = wire.Balance(asset, D(9_000), D(9_000), D(9_000), D(amount))
    return wire.AccountUpdate(1, 0, reason, (balance,), (), time_ns, time_ns)


def held() -> Rig:
    """An engine with a position of 0.1 that was bought at 101.2."""
    rig = Rig(Engine(config(limits=LIMITS))).up().prices(*UP)
    assert rig.exchange.position == D("0.1")
    return rig


def liquidation(rig: Rig, status: str = "FILLED", **changes: object) -> wire.OrderUpdate:
    """The exchange sells the position at 60."""
    order = wire.SubmitOrder(0, "BTCUSDT", "autoclose-77", "SELL", "LIMIT", D("0.1"), D(60))
    fill = rig.exchange.update(order, "CALCULATED", status, D("0.1"), 900, D("0.1"))
    return msgspec.structs.replace(
        fill, last_price=D(60), average_price=D(60), fee=D(0), realised_pnl=D("-4.12"), **changes
    )


def told(rig: Rig) -> list[str]:
    return [f"{one.level}: {one.text}" for one in rig.notices(Notice) if isinstance(one, Notice)]


@pytest.mark.parametrize("reason", ["INSURANCE_CLEAR", "ADJUSTMENT", "FUNDING_FEE", "A_NEW_WORD"])
def test_a_change_that_is_no_transfer_counts_and_stops_entries_at_the_limit(reason: str) -> None:
    rig = Rig(Engine(config(limits=LIMITS))).up()
    before = rig.engine.account.daily_pnl
    rig.feed(change(reason, "-50"))
    assert rig.engine.account.daily_pnl - before == -50
    rig.prices(*UP)
    (signal,) = [one for one in rig.records(Signal) if isinstance(one, Signal)]
    assert (signal.fate, signal.rule) == ("vetoed", "daily_loss")
    assert "today's loss has reached the limit of 50" in rig.engine.health.blockers()


@pytest.mark.parametrize(
    "reason", ["WITHDRAW", "ASSET_TRANSFER", "ADMIN_WITHDRAW", "MARGIN_TRANSFER", "AUTO_EXCHANGE"]
)
def test_a_transfer_is_no_loss(reason: str) -> None:
    rig = Rig(Engine(config(limits=LIMITS))).up()
    before = rig.engine.account.daily_pnl
    rig.feed(change(reason, "-5000"))
    assert rig.engine.account.daily_pnl == before


def test_what_changes_in_another_asset_is_not_counted_as_money() -> None:
    account = AccountStateStore()
    account.on_account_update(change("INSURANCE_CLEAR", "-1", asset="BNB"))
    assert account.total_pnl == 0


def test_a_liquidation_is_named_and_its_loss_and_fee_count() -> None:
    rig = held()
    account = rig.engine.account
    before = account.total_pnl - account.unrealised_pnl
    rig.exchange.position = D(0)
    rig.feed(liquidation(rig))
    rig.feed(change("INSURANCE_CLEAR", "-0.5"))
    assert account.total_pnl - before == D("0.1") * (60 - D("101.2")) - D("0.5")
    said = told(rig)
    assert "critical: liquidation: the exchange has closed 0.1 BTCUSDT (sold at 60.0 on average)" in said
    clearance = "liquidation: the exchange's insurance fund has changed the balance by -0.5 USDT"
    assert f"critical: {clearance}; it counts in today's result" in said


def test_a_liquidation_is_told_once() -> None:
    rig = held()
    update = liquidation(rig)
    rig.feed(update)
    rig.feed(msgspec.structs.replace(update, sequence=update.sequence + 9))
    assert sum("liquidation" in text for text in told(rig)) == 1


def test_somebody_elses_order_is_no_liquidation() -> None:
    rig = held()
    rig.feed(liquidation(rig, client_order_id="web_1"))
    assert not any("liquidation" in text for text in told(rig))


def test_the_loss_of_a_position_that_is_gone_without_its_fills_still_counts() -> None:
    """Its end was never told: the open loss would vanish with it, and entries would be free again."""
    rig = held().mark(60)
    assert rig.engine.account.daily_pnl < -4
    lost = rig.engine.account.daily_pnl
    rig.exchange.position = D(0)
    rig.feed(rig.exchange.account())
    rig.wait(60)
    assert rig.engine.account.position("BTCUSDT").qty_base == 0
    assert rig.engine.account.daily_pnl == lost


def test_a_part_that_is_gone_takes_its_share_of_the_open_loss() -> None:
    rig = held().mark(60)
    lost = rig.engine.account.daily_pnl
    rig.exchange.position = D("0.025")
    rig.feed(rig.exchange.account())
    rig.wait(60)
    assert rig.engine.account.position("BTCUSDT").qty_base == D("0.025")
    assert rig.engine.account.daily_pnl == lost


def test_funding_at_midnight_belongs_to_the_new_day() -> None:
    account = AccountStateStore()
    day_ns = 86_400 * SECOND_NS
    account.on_account_update(change("FUNDING_FEE", "-1", time_ns=day_ns - 1))
    account.on_account_update(change("FUNDING_FEE", "-2", time_ns=day_ns))
    assert account.daily_pnl == -2


def test_the_loss_survives_a_snapshot() -> None:
    rig = held()
    rig.feed(change("INSURANCE_CLEAR", "-7"))
    assert rig.engine.account.other_changes == -7
    again = AccountStateStore()
    again.restore(rig.engine.account.state())
    assert again.total_pnl == rig.engine.account.total_pnl
