import pytest

from gateways.simulator.__main__ import main
from gateways.simulator.exchange.model.symbols import default_symbols


def test_the_simulator_lists_its_symbols_whatever_else_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--list-symbols"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == list(default_symbols())
