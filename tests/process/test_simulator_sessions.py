"""Keys of other kinds than shared secrets: what signs, what may log on, and that a kill forgets none."""

import asyncio
import base64
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.asyncio.client import connect

from tests.process.simulator_process import KEY, SECRET, Simulator, ask, limit_order, now_ms, sign, simulator

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
NEEDS_SIGNATURE = -1102


def signed(key: str, **params: object) -> dict[str, object]:
    """Parameters of a WS API request with the signature of the private key."""
    params = {"apiKey": key, "timestamp": now_ms(), **params}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"signature": base64.b64encode(PRIVATE.sign(text.encode())).decode()}


def requests(sim: Simulator, *wanted: tuple[str, dict[str, object]]) -> list[dict]:
    """Answers to requests on one connection, one after the other."""

    async def talk() -> list[dict]:
        async with connect(sim.ws + "/ws-fapi/v1") as socket:
            return [
                await ask(socket, {"id": number, "method": method, "params": params})
                for number, (method, params) in enumerate(wanted)
            ]

    return asyncio.run(talk())


def test_a_session_needs_no_signatures_between_logon_and_logout(tmp_path: Path):
    pem = tmp_path / "public.pem"
    pem.write_text(PUBLIC)
    with simulator(tmp_path / "state", "--public-key", str(pem)) as sim:
        key = sim.said[0].removeprefix(f"API key of {pem}: ")
        order = limit_order(sim, newClientOrderId="in-session")
        before, logon, placed, own, stale, status, logout, after = requests(
            sim,
            ("account.balance", {"timestamp": now_ms()}),
            ("session.logon", signed(key)),
            ("order.place", order | {"timestamp": now_ms()}),
            ("account.balance", {"apiKey": KEY, "timestamp": now_ms(), "signature": "00" * 32}),
            ("account.balance", {"timestamp": now_ms() - 60_000}),
            ("session.status", {}),
            ("session.logout", {}),
            ("account.balance", {"timestamp": now_ms()}),
        )
        assert (before["status"], before["error"]["code"]) == (401, -2014)
        assert logon["result"]["apiKey"] == status["result"]["apiKey"] == key
        assert logon["result"]["authorizedSince"] >= logon["result"]["connectedSince"]
        assert placed["result"]["clientOrderId"] == "in-session"
        assert [limit["rateLimitType"] for limit in placed["rateLimits"]] == [
            "REQUEST_WEIGHT",
            "ORDERS",
            "ORDERS",
        ]
        assert own["error"]["code"] == -1022  # a key of one's own wants a signature of one's own
        assert stale["error"]["code"] == -1021
        assert (logout["result"]["apiKey"], logout["result"]["authorizedSince"]) == (None, None)
        assert after["error"]["code"] == -2014


def test_only_ed25519_keys_with_a_right_signature_log_on(tmp_path: Path):
    with simulator(tmp_path) as sim:
        sim.control("POST", "account", account="1", key="ed", public_key=PUBLIC)
        stamp = now_ms()
        shared = {"apiKey": KEY, "timestamp": stamp, "signature": sign(f"apiKey={KEY}&timestamp={stamp}")}
        wrong = signed("ed") | {"timestamp": stamp - 1}
        without, by_secret, forged, unknown = requests(
            sim,
            ("session.logon", {}),
            ("session.logon", shared),
            ("session.logon", wrong),
            ("session.logon", signed("nobody")),
        )
        assert without["error"]["code"] == NEEDS_SIGNATURE
        assert by_secret["error"]["code"] == -4056
        assert forged["error"]["code"] == -1022
        assert (unknown["status"], unknown["error"]["code"]) == (401, -2015)


def test_keys_added_while_it_runs_survive_a_kill(tmp_path: Path):
    with simulator(tmp_path) as sim:
        sim.control("POST", "account", account="second", key="ed", public_key=PUBLIC, balance="500")
        sim.control("POST", "account", account="second", key="shared", secret=SECRET)
        sim.kill()
    with simulator(tmp_path) as sim:
        (answer,) = requests(sim, ("account.balance", signed("ed")))
        assert answer["result"][0]["balance"] == "500.00000000"
        query = f"timestamp={now_ms()}"
        headers = {"X-MBX-APIKEY": "shared"}
        reply = sim.send("GET", f"/fapi/v3/balance?{query}&signature={sign(query)}", headers=headers)
        assert reply.json[0]["balance"] == "500.00000000"
