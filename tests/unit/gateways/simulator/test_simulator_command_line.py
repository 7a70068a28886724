import tempfile
from pathlib import Path

import pytest

from gateways.simulator.__main__ import main
from gateways.simulator.exchange.model.symbols import default_symbols


def test_the_simulator_lists_its_symbols_whatever_else_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--list-symbols"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == list(default_symbols())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "--port is required: --port 0 picks a free one"),
        ("--port abc", "--port: 'abc' is not a whole number"),
        ("--port 0 --speed fast", "--speed: 'fast' is not a number"),
        ("--port 70000", "--port 70000: expected 0 to 65535"),
        ("--prt 0", "there is no option --prt (did you mean --port?)"),
        ("--port 0 --symbols BTCUST", "--symbols BTCUST (did you mean BTCUSDT?): expected some of BTCUSDT"),
        ("--port 0 --market klines:nope.csv --check", "nope.csv: no such file of klines"),
    ],
)
def test_a_wrong_option_of_the_simulator_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: str, says: str
) -> None:
    assert main(arguments.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"simulator: {says}")
    assert said.count("\n") == 1


def test_a_check_leaves_no_state_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["--port", "0", "--check"]) == 0
    assert list(tmp_path.iterdir()) == []
