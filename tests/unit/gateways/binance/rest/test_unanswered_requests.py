"""What the exchange cannot answer reaches whoever asks why nothing is traded."""

import pytest

from engine.model.audit import HealthChanged
from engine.shell.chat import status_text
from engine.shell.status import StatusKeeper
from gateways.binance.protocol.classify import Kind, classify
from gateways.binance.rest.unanswered import KEPT, KEPT_NS, TEXT_CHARACTERS, UnansweredRequests
from gateways.simulator.exchange.model.errors import unavailable
from runtime.control.status_tables import blocked
from tests.support.engine_rig import Rig

WHY = "BTCUSDT: no book or mark price or bars from fapi.binance.com since 21:43:10 UTC"
URL = "http://127.0.0.1:1/fapi/v1/depth?symbol={}&limit=1000"


def unanswered(now: list[int]) -> UnansweredRequests:
    return UnansweredRequests(lambda: now[0])


def note(to: UnansweredRequests, symbol: str, why: str) -> None:
    error = unavailable(why)
    to.note(URL.format(symbol), classify(Kind.READ, error.http_status, error.code, error.message))


def test_the_reason_is_told_once_until_the_same_is_answered() -> None:
    found = unanswered([0])
    note(found, "BTCUSDT", WHY)
    note(found, "BTCUSDT", WHY)
    found.note("http://127.0.0.1:1/fapi/v1/premiumIndex?symbol=BTCUSDT", classify(Kind.READ, 200, 0, ""))
    assert found.text == WHY
    found.note(URL.format("ETHUSDT"), None)
    assert found.text == WHY
    found.note(URL.format("BTCUSDT"), None)
    assert found.text == ""


def test_other_failures_and_what_is_not_asked_for_again_are_no_news() -> None:
    now = [0]
    found = unanswered(now)
    found.note(URL.format("BTCUSDT"), classify(Kind.READ, 400, -1121, "Invalid symbol."))
    assert found.text == ""
    note(found, "BTCUSDT", WHY)
    now[0] = KEPT_NS + 1
    assert found.text == ""


def test_the_text_is_bounded_whatever_comes() -> None:
    found = unanswered([0])
    for number in range(3 * KEPT):
        note(found, f"COIN{number}USDT", f"COIN{number}USDT: " + "no book " * 100)
    assert len(found.text) == TEXT_CHARACTERS
    assert found.text.startswith(f"COIN{3 * KEPT - 1}USDT")
    plain = unanswered([0])
    plain.note(URL.format("A"), classify(Kind.READ, 503, -1001, "Disconnected."))
    assert plain.text == "Disconnected."


@pytest.mark.parametrize("said", ["", WHY])
def test_status_why_view_and_chat_say_it_first(said: str) -> None:
    rig = Rig().up()
    rig.status(fresh=(), unanswered=said)
    first = f"the exchange cannot answer ({WHY})"
    status = StatusKeeper(rig.engine).status(rig.now_ns)
    assert (status.blockers[0] == first) == bool(said)
    assert (first in blocked(status)) == bool(said)
    assert (first in status_text(status)) == bool(said)
    assert status.unanswered == said
    told = rig.notices(HealthChanged)[-1]
    assert isinstance(told, HealthChanged)
    assert (told.blockers[0] == first) == bool(said)


def test_it_closes_no_gate_by_itself() -> None:
    rig = Rig().up().status(unanswered=WHY)
    rig.tick(0, 100)
    assert rig.engine.health.blockers() == ()
