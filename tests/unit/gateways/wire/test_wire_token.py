"""The token is made once, readable by its owner only, and proves exactly what was said."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateways.wire.claims import check_claims, check_proof
from gateways.wire.errors import HandshakeError, TokenError
from gateways.wire.messages import PROTOCOL_VERSION, Hello
from gateways.wire.token import hello_mac, load_or_make_token
from tests.support.places import ROOT

TOKEN, NONCE, PORT = b"t" * 32, b"n" * 32, 29_000
HELLO = Hello(PROTOCOL_VERSION, "alpha", 3, ("BTCUSDT",), "alpha-", 1, 2, b"")


def proven(hello: Hello, token: bytes = TOKEN, nonce: bytes = NONCE) -> Hello:
    return msgspec.structs.replace(hello, mac=hello_mac(token, nonce, hello, PORT))


def test_a_token_is_made_on_first_use_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "vault" / "gateway_token"
    token = load_or_make_token(path)
    assert len(token) == 32
    assert load_or_make_token(path) == token
    assert [one.name for one in path.parent.iterdir()] == ["gateway_token"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_make_it_at_once_end_with_the_same_token(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from gateways.wire.token import load_or_make_token\n"
        "sys.stdin.readline()\n"
        f"print(load_or_make_token(Path({str(tmp_path / 'token')!r})).hex())\n"
    )
    pipe, command = subprocess.PIPE, [sys.executable, "-c", program]
    makers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    said = [maker.communicate("go\n")[0] for maker in makers]
    assert len(set(said)) == 1
    assert len(said[0].strip()) == 64


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such permission bits")
def test_a_token_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    load_or_make_token(path)
    path.chmod(0o640)
    with pytest.raises(TokenError, match="can be read by others"):
        load_or_make_token(path)


@pytest.mark.parametrize("content", [b"", b"xyz", b"ab" * 31, b"ab" * 33, b"\xff\xfe"])
def test_a_damaged_token_file_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(TokenError) as caught:
        load_or_make_token(path)
    assert str(path) in str(caught.value)
    if content:
        assert content.decode("latin-1") not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file")
    with pytest.raises(TokenError, match="cannot be made"):
        load_or_make_token(tmp_path / "vault" / "token")


def test_the_right_proof_is_taken() -> None:
    check_proof(proven(HELLO), TOKEN, NONCE, PORT)


@pytest.mark.parametrize(
    "change",
    [
        {"engine_id": "beta"},
        {"fencing": 4},
        {"symbols": ("ETHUSDT",)},
        {"client_id_prefix": "beta-"},
        {"last_epoch": 9},
        {"last_sequence": 9},
        {"nonce": b"other"},
        {"mac": b""},
        {"mac": b"m" * 32},
    ],
)
def test_a_proof_holds_for_nothing_else(change: dict[str, object]) -> None:
    with pytest.raises(HandshakeError) as caught:
        check_proof(msgspec.structs.replace(proven(HELLO), **change), TOKEN, NONCE, PORT)
    assert caught.value.code == "token"


def test_a_proof_cannot_be_used_again() -> None:
    with pytest.raises(HandshakeError):
        check_proof(proven(HELLO), TOKEN, b"m" * 32, PORT)


def test_a_proof_for_another_port_is_not_taken() -> None:
    with pytest.raises(HandshakeError):
        check_proof(proven(HELLO), TOKEN, NONCE, PORT + 1)


def test_another_protocol_version_is_named() -> None:
    other = proven(msgspec.structs.replace(HELLO, protocol_version=PROTOCOL_VERSION + 1))
    with pytest.raises(HandshakeError, match=f"protocol version {PROTOCOL_VERSION}") as caught:
        check_claims(other, 0, [])
    assert caught.value.code == "version"


@pytest.mark.parametrize(
    "change",
    [
        {"engine_id": ""},
        {"engine_id": "x" * 65},
        {"client_id_prefix": ""},
        {"client_id_prefix": "with space"},
        {"client_id_prefix": "x" * 25},
        {"symbols": tuple(f"S{number}" for number in range(1001))},
    ],
)
def test_an_identity_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(HandshakeError) as caught:
        check_claims(msgspec.structs.replace(HELLO, **change), 0, [])
    assert caught.value.code == "identity"
