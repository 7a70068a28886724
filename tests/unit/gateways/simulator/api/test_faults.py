import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateways.simulator.api.access.keys import ApiKey, Secret
from gateways.simulator.api.requests.faults import EventFault, Fault, Faults
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.streams.user_data import LIFE_MS, ListenKeys, UserStreams
from gateways.simulator.exchange.model.errors import ApiError

OWNER = ApiKey("key", "1", Secret("secret"))
NOTHING = Params({})


class Sent:
    """Stands where the hub is."""

    def __init__(self) -> None:
        self.frames = []

    def publish_private(self, key: str | None, event: str, payload: bytes):
        self.frames.append((key, event, json.loads(payload)))


def make_users(keys: ListenKeys, later: Callable[..., None] | None = None):
    sent, faults = Sent(), Faults()
    return sent, faults, UserStreams(sent, keys, faults, later or (lambda *_: None))


def test_a_fault_meets_so_many_matching_requests_and_no_other():
    faults = Faults()
    faults.add_request(Fault("POST /fapi/v1/*", "unavailable", times=2, skip=1))
    kinds = [faults.take_request("POST /fapi/v1/order", NOTHING) for _ in range(5)]
    assert [kind is not None for kind in kinds] == [False, True, True, False, False]
    assert faults.take_request("GET /fapi/v1/order", NOTHING) is None
    assert faults.listing()["requests"] == []


@pytest.mark.parametrize(
    ("values", "exempt"),
    [
        ({"side": "BUY"}, False),
        ({"side": "SELL", "reduceOnly": "true"}, True),
        ({"side": "SELL", "closePosition": "true"}, True),
        ({"side": "SELL", "positionSide": "LONG"}, True),
        ({"side": "BUY", "positionSide": "LONG"}, False),
        ({"side": "BUY", "positionSide": "SHORT"}, True),
    ],
)
def test_throttling_lets_orders_pass_that_only_reduce(values: dict[str, str], exempt: bool):
    faults = Faults()
    faults.add_request(Fault("*", "throttled", times=None))
    assert (faults.take_request("POST /fapi/v1/order", Params(values)) is None) is exempt
    assert faults.take_request("DELETE /fapi/v1/order", Params(values)) is None


def test_user_events_can_be_lost_doubled_and_late():
    keys = ListenKeys()
    value = keys.start(OWNER, 0)
    later = []
    sent, faults, users = make_users(keys, lambda ms, action: later.append((ms, action)))
    for action in ("lose", "duplicate", "delay"):
        faults.add_event(EventFault("ORDER_*", action, delay_ms=70))
        users.deliver("1", "ORDER_TRADE_UPDATE", {"a": action})
        users.deliver("1", "ACCOUNT_UPDATE", {})
    assert [payload.get("a") for _, event, payload in sent.frames if event.startswith("ORDER")] == [
        "duplicate"
    ] * 2
    ((delay_ms, send),) = later
    send()
    assert delay_ms == 70
    assert sent.frames[-1] == (value, "ORDER_TRADE_UPDATE", {"a": "delay"})


def test_a_listen_key_stays_the_same_while_it_lives():
    keys = ListenKeys()
    value = keys.start(OWNER, 0)
    assert len(value) == 64
    assert value.isalnum()
    assert keys.start(OWNER, LIFE_MS - 1) == value
    assert keys.take_expired(2 * LIFE_MS - 2) == []
    assert keys.extend(OWNER, None, 2 * LIFE_MS - 2) == value
    assert [key.value for key in keys.take_expired(3 * LIFE_MS - 2)] == [value]
    assert keys.start(OWNER, 3 * LIFE_MS) != value


@pytest.mark.parametrize("value", [None, "other"])
def test_an_unknown_listen_key_is_1125(value: str | None):
    keys = ListenKeys()
    if value is not None:
        keys.start(OWNER, 0)
    with pytest.raises(ApiError) as caught:
        keys.extend(OWNER, value, 0)
    assert caught.value.code == -1125


def test_sockets_hear_of_the_end_of_a_listen_key_and_then_nothing():
    keys = ListenKeys()
    value = keys.start(OWNER, 0)
    sent, _, users = make_users(keys)
    users.expire(LIFE_MS)
    users.deliver("1", "ACCOUNT_UPDATE", {})
    assert sent.frames == [
        (value, "listenKeyExpired", {"e": "listenKeyExpired", "E": LIFE_MS, "listenKey": value})
    ]


def test_listen_keys_outlive_the_process(tmp_path: Path):
    path = tmp_path / "listen_keys.json"
    value = ListenKeys(path).start(OWNER, 0)
    assert ListenKeys(path).of_account("1") == [value]
