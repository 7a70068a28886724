"""API keys: who signs how, and which keys outlive a restart."""

import base64
import stat
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateways.simulator.api.access.keys import KeyRing
from gateways.simulator.api.access.public_keys import PublicKey
from gateways.simulator.api.access.signatures import check_signature, signed_text
from gateways.simulator.exchange.model.errors import ApiError

TEXT = "symbol=BTCUSDT&timestamp=1591702613943"
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def public_pem(private: object) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signature(private: object, text: str = TEXT) -> str:
    if isinstance(private, rsa.RSAPrivateKey):
        raw = private.sign(text.encode(), padding.PKCS1v15(), SHA256())
    else:
        raw = private.sign(text.encode())
    return base64.b64encode(raw).decode()


@pytest.fixture(scope="module", params=["ed25519", "rsa"])
def private(request: pytest.FixtureRequest):
    return ED25519 if request.param == "ed25519" else rsa.generate_private_key(65537, 2048)


def test_a_base64_signature_of_the_private_key_is_accepted(private: object):
    key = KeyRing().add_public(public_pem(private), "1")
    check_signature(key, TEXT, signature(private))


def test_a_signature_may_come_percent_encoded_or_plain():
    key = KeyRing().add_public(public_pem(ED25519), "1")
    plain = signature(ED25519)
    encoded = plain.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    for sent in (plain, encoded):
        text, found = signed_text(f"{TEXT}&signature={sent}", "")
        check_signature(key, text, found)


@pytest.mark.parametrize("given", ["", "00" * 32, "not base64!", base64.b64encode(bytes(64)).decode()])
def test_any_other_signature_is_refused(private: object, given: str):
    key = KeyRing().add_public(public_pem(private), "1")
    with pytest.raises(ApiError) as caught:
        check_signature(key, TEXT, given)
    assert caught.value.code == (-1102 if given == "" else -1022)
    assert not key.signer.accepts(TEXT + "0", signature(private))


def test_an_api_key_follows_from_the_public_key():
    assert PublicKey(public_pem(ED25519)).api_key == PublicKey(public_pem(ED25519)).api_key
    assert len(PublicKey(public_pem(ED25519)).api_key) == 64


def test_what_is_no_usable_public_key_is_one_sentence():
    elliptic = public_pem(ec.generate_private_key(ec.SECP256R1()))
    short = public_pem(rsa.generate_private_key(65537, 1024))
    for pem in ("", "-----BEGIN PUBLIC KEY-----", elliptic, short):
        with pytest.raises(ValueError, match=r"^expected a public key in PEM, of Ed25519 or of RSA"):
            PublicKey(pem)
    private = ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match=r"^a private key stays with its owner"):
        PublicKey(private)


def test_kept_keys_are_known_after_a_restart_and_readable_by_their_owner_only(tmp_path: Path):
    path = tmp_path / "api_keys.json"
    ring = KeyRing(path)
    ring.save("hmac", "2", secret="s")
    ring.save("signed", "1", pem=public_pem(ED25519))
    ring.save("orphan", "3", secret="s")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = KeyRing(path)
    again.load(["1", "2"])
    assert again.identify("hmac").account == "2"
    check_signature(again.identify("signed"), TEXT, signature(ED25519))
    with pytest.raises(ApiError) as caught:
        again.identify("orphan")
    assert caught.value.code == -2015


def test_a_refused_key_is_not_kept(tmp_path: Path):
    ring = KeyRing(tmp_path / "api_keys.json")
    for key, pem in (("k", "nonsense"), ("no spaces", public_pem(ED25519))):
        with pytest.raises(ValueError, match="expected"):
            ring.save(key, "1", pem=pem)
    assert not (tmp_path / "api_keys.json").exists()


def test_representations_show_neither_key_nor_secret():
    key = KeyRing().add("visible-key", "hidden-secret", "1")
    assert "visible" not in repr(key)
    assert "hidden" not in repr(key)
