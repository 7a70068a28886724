"""Whatever a configuration holds, its reader gets one sentence and never a traceback."""

from pathlib import Path

import pytest

from runtime.settings import SettingsError
from runtime.settings.load import DEEPEST, parse_settings

DEEP = f"tables or lists are nested more than {DEEPEST} deep"
LARGE = "is an integer of more than 63 bits"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"symbols = {'[' * 500}{']' * 500}", DEEP),
        (f"symbols = {'[' * 30}{']' * 30}", f"symbols: {DEEP}"),
        (f"wire = {'{a=' * 500}1{'}' * 500}", DEEP),
        (f"[{'.'.join(['wire'] * 500)}]\nx = 1", f"wire: {DEEP}"),
        (f"{'.'.join(['a'] * 5000)} = 1", f"a: {DEEP}"),
        (f"[wire]\nport = {'9' * 5000}", "contains an integer that is too large to be read"),
        (f"[wire]\nport = {'9' * 400}", f"wire.port {LARGE}"),
        (f"[wire]\nport = -{'9' * 20}", f"wire.port {LARGE}"),
        (f"[wire]\nport = 0x{'f' * 5000}", f"wire.port {LARGE}"),
        ("[[strategies]]\nparams = { length = 1_000_000_000_000_000_000_000 }", f"params.length {LARGE}"),
    ],
)
def test_deep_nesting_and_huge_numbers_are_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        parse_settings(path, "demo")
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
