import hashlib
import hmac
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateways.simulator.api.access.keys import KeyRing, load_or_make_keys
from gateways.simulator.api.access.signatures import (
    check_signature,
    check_timestamp,
    signed_text,
    ws_signed_text,
)
from gateways.simulator.api.requests.params import Params
from gateways.simulator.exchange.model.errors import ApiError

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
PAYLOAD = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
    "&recvWindow=5000&timestamp=1591702613943"
)
SIGNATURE = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
NOW_MS = 1_700_000_000_000


def ring_with_key():
    ring = KeyRing()
    return ring.add("k" * 64, SECRET, "1")


def code_of(action: Callable[..., object], *args: object):
    with pytest.raises(ApiError) as caught:
        action(*args)
    return caught.value.code


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"{PAYLOAD}&signature={SIGNATURE}", ""),
        ("", f"{PAYLOAD}&signature={SIGNATURE}"),
        (f"signature={SIGNATURE}&{PAYLOAD}", ""),
        (PAYLOAD[:40], f"{PAYLOAD[40:]}&signature={SIGNATURE}"),
        (f"{PAYLOAD}&signature={SIGNATURE.upper()}", ""),
    ],
)
def test_signature_covers_raw_query_then_raw_body_without_the_signature(query: str, body: str):
    text, signature = signed_text(query, body)
    assert text == PAYLOAD
    check_signature(ring_with_key(), text, signature)


@pytest.mark.parametrize("signature", ["00" * 32, "xyz", SIGNATURE[:-1], SIGNATURE + "00"])
def test_wrong_signature_is_1022(signature: str):
    assert code_of(check_signature, ring_with_key(), PAYLOAD, signature) == -1022


def test_missing_signature_is_1102():
    assert code_of(check_signature, ring_with_key(), PAYLOAD, None) == -1102


def test_percent_encoded_text_is_signed_as_sent():
    query = "symbol=%E5%B8%81%E5%AE%89USDT&timestamp=1"
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    text, found = signed_text(f"{query}&signature={signature}", "")
    check_signature(ring_with_key(), text, found)


def test_ws_api_signs_all_parameters_sorted_by_name():
    assert ws_signed_text({"b": "2", "signature": "x", "a": "1", "apiKey": "k"}) == "a=1&apiKey=k&b=2"


@pytest.mark.parametrize(
    ("offset_ms", "window", "code"),
    [
        (0, None, None),
        (999, None, None),
        (1000, None, -1021),
        (-5000, None, None),
        (-5001, None, -1021),
        (-60_000, "60000", None),
        (-60_001, "60000", -1021),
        (0, "60001", -1131),
        (0, "0", -1130),
        (-1, "1", None),
        (-2, "1", -1021),
    ],
)
def test_timing_rule(offset_ms: int, window: str | None, code: int | None):
    values = {"timestamp": str(NOW_MS + offset_ms)}
    if window is not None:
        values["recvWindow"] = window
    if code is None:
        check_timestamp(Params(values), NOW_MS)
    else:
        assert code_of(check_timestamp, Params(values), NOW_MS) == code


@pytest.mark.parametrize("timestamp", [None, "", "soon"])
def test_absent_or_malformed_timestamp_is_1102(timestamp: str | None):
    values = {} if timestamp is None else {"timestamp": timestamp}
    assert code_of(check_timestamp, Params(values), NOW_MS) == -1102


@pytest.mark.parametrize(("key", "code"), [(None, -2014), ("", -2014), ("a b", -2014), ("unknown", -2015)])
def test_bad_key_is_refused_with_401(key: str | None, code: int | None):
    ring = KeyRing()
    with pytest.raises(ApiError) as caught:
        ring.identify(key)
    assert (caught.value.code, caught.value.http_status) == (code, 401)


def test_secret_is_not_in_the_representation():
    assert SECRET not in repr(ring_with_key())


def test_made_keys_are_kept_for_the_owner_only(tmp_path: Path):
    key, secret, path = load_or_make_keys(tmp_path, None, None)
    assert path.read_text() == f"api_key={key}\napi_secret={secret}\n"
    assert load_or_make_keys(tmp_path, None, None) == (key, secret, path)
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_given_keys_are_not_written(tmp_path: Path):
    assert load_or_make_keys(tmp_path, "k", "s") == ("k", "s", None)
    assert list(tmp_path.iterdir()) == []
