"""Recordings with missing diffs and a clock that steps back: no book is crossed, and no hole is hidden."""

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.simulator.markets import MarketOptions, parse_market
from tests.support.market_rig import ClientBook, MarketRig

STEP_MS = 100
CADENCES = ("depth@0ms", "depth@100ms", "depth@500ms")


def _levels(book: dict[int, int]) -> list[list[str]]:
    return [[f"{price / 10:.2f}", f"{lots / 1000:.3f}"] for price, lots in sorted(book.items())]


def _session(seed: int, missing: set[int], steps_back: set[int], count: int) -> list[str]:
    """Diffs of a true book that moves fast, without some of them; the receive clock may be set back."""
    draw = random.Random(seed)
    mid, last_id, stamp_ms = 1_000, 100, 10_000_000
    books = [{mid - i: 5 for i in range(1, 9)}, {mid + i: 5 for i in range(1, 9)}]
    lines = [{"lastUpdateId": last_id, "bids": _levels(books[0])[::-1], "asks": _levels(books[1])}]
    stamps = [stamp_ms]
    for index in range(count):
        mid += draw.randint(-4, 4)
        wanted = [
            {mid - i: draw.randint(1, 9) for i in range(1, 9) if draw.random() < 0.7},
            {mid + i: draw.randint(1, 9) for i in range(1, 9) if draw.random() < 0.7},
        ]
        changes = [
            {price: 0 for price in old if price not in new} | new
            for old, new in zip(books, wanted, strict=True)
        ]
        books, previous, last_id = wanted, last_id, last_id + draw.randint(1, 9)
        stamp_ms += 20 - (3_000 if index in steps_back else 0)
        if index in missing:
            continue
        data = {"e": "depthUpdate", "E": 1_700_000_000_000, "T": 1_700_000_000_000, "s": "BTCUSDT"}
        ids = {"U": previous + 1, "u": last_id, "pu": previous}
        sides = {"b": _levels(changes[0]), "a": _levels(changes[1])}
        lines.append({"stream": "x", "data": data | ids | sides})
        stamps.append(stamp_ms)
    return [
        f"{(stamp + 1_700_000_000_000) * 1_000_000} {json.dumps(line)}"
        for stamp, line in zip(stamps, lines, strict=True)
    ]


def _top(book: dict[str, Any]) -> tuple[float, float]:
    bids, asks = [float(row[0]) for row in book["bids"]], [float(row[0]) for row in book["asks"]]
    return max(bids, default=0.0), min(asks, default=1e9)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    missing=st.sets(st.integers(1, 78), max_size=8),
    steps_back=st.sets(st.integers(1, 78), max_size=2),
)
def test_a_hole_is_a_hole_for_clients_and_no_book_is_crossed(
    seed: int, missing: set[int], steps_back: set[int]
):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "BTCUSDT.txt"
        path.write_text("\n".join(_session(seed, missing, steps_back, 80)))
        rig = MarketRig(("BTCUSDT",))
        options = MarketOptions(symbols=("BTCUSDT",), loop=False)
        rig.start(parse_market(f"recording:{path}", options))
    names = [f"btcusdt@{cadence}" for cadence in CADENCES]
    for name in names:
        rig.data.subscribe(name)
    holes = sum(1 for index in missing if index - 1 not in missing and index < 79)
    clients = {name: ClientBook(rig.rest("depth", symbol="BTCUSDT", limit=1000)) for name in names}
    resyncs = dict.fromkeys(names, 0)
    for _ in range(40):
        rig.run(STEP_MS, 20)
        now = rig.rest("depth", symbol="BTCUSDT", limit=1000)
        bid, ask = _top(now)
        assert bid < ask
        frames, rig.frames = rig.frames, []
        for name, frame in frames:
            client = clients[name]
            if not client.synchronised and frame["pu"] == client.last_id:
                client.synchronised = True  # a snapshot at the border of two events
            is_old = not client.synchronised and frame["u"] < client.last_id
            follows = frame["U"] <= client.last_id <= frame["u"] and not client.synchronised
            if not (is_old or follows or frame["pu"] == client.last_id):
                resyncs[name] += 1
                clients[name] = ClientBook(now)
                continue
            client.apply(frame)
            assert not client.bids or not client.asks or float(client.top()[0]) < float(client.top()[2])
    assert rig.market is not None
    assert rig.market.next_time_ms() is None
    assert resyncs[names[0]] >= min(1, holes)
