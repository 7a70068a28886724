"""What the supervisor starts."""

import pytest

from runtime.settings import load_settings
from runtime.supervisor.specs import known_ports, process_specs


@pytest.mark.parametrize("environment", ["demo", "paper"])
def test_the_gateway_meets_the_stream_routing_of_the_live_exchange(
    environment: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("SIMULATOR", "WIRE", "CONTROL"):
        monkeypatch.setenv(f"NEXTBAR_{name}_PORT", "20001")
    settings = load_settings(environment)
    specs = process_specs(settings, known_ports(settings), symbol=None, accept_real_orders=False)
    assert "--strict-routing" in next(spec for spec in specs if spec.name == "simulator").command
