"""Key files: read, or refused in one sentence that holds no secret."""

import os
from pathlib import Path

import pytest

from gateways.binance.protocol.errors import ConfigurationError
from gateways.binance.protocol.signing import Signer, encode
from gateways.binance.setup.keys import load_keys


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_lines_with_comments_and_quotes_are_read(tmp_path: Path):
    path = write(tmp_path / "keys", '# mine\napi_key = abc # inline\n\napi_secret="def"\n')
    keys = load_keys([tmp_path / "absent", path])
    assert (keys.api_key, keys.api_secret) == ("abc", "def")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api_key=abc\n", "has no api_secret"),
        ("", "has no api_key and no api_secret"),
        ("api_key=abc\nhunter2\n", "line 2"),
        ("api_key=a b\napi_secret=hunter2", "characters"),
        ("password=hunter2", "line 1"),
        ("api_key=put-the-api-key-here\napi_secret=hunter2", "still has the example's api_key"),
        ("api_key=abc\napi_secret=put-the-secret-here", "still has the example's api_secret"),
    ],
)
def test_a_broken_file_is_one_sentence_without_the_secret(tmp_path: Path, text: str, words: str):
    path = write(tmp_path / "keys", text)
    with pytest.raises(ConfigurationError) as caught:
        load_keys([path])
    sentence = str(caught.value)
    assert words in sentence
    assert str(path) in sentence
    assert "hunter2" not in sentence
    assert "\n" not in sentence


def test_a_missing_file_names_where_it_should_be(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"vault/binance_keys\.example"):
        load_keys([tmp_path / "binance_keys"])


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_file_others_can_read_is_refused(tmp_path: Path):
    (tmp_path / "my keys").mkdir()
    path = write(tmp_path / "my keys" / "keys", "api_key=a\napi_secret=b\n", 0o640)
    with pytest.raises(ConfigurationError) as caught:
        load_keys([path])
    assert f"chmod 600 '{path}'" in str(caught.value)


def test_nothing_prints_a_secret(tmp_path: Path):
    keys = load_keys([write(tmp_path / "keys", "api_key=kkk\napi_secret=sss\n")])
    for text in (repr(keys), str(keys), repr(Signer("kkk", "sss"))):
        assert "kkk" not in text
        assert "sss" not in text


def test_a_signature_equals_the_documented_one():
    signer = Signer("", "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9")
    payload = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943"
    )
    signature = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    assert signer.sign(payload) == f"{payload}&signature={signature}"


def test_a_chinese_symbol_is_encoded_before_it_is_signed():
    assert encode("币安人生USDT") == "%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"
