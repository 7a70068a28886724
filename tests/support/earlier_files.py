"""What this version makes of files that an earlier one wrote, as plain JSON.

Whole states are compared as they stand on the disk, without names: a field that has been appended since is
no difference, one that has moved or is gone is.
"""

import json
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from engine.core.engine import Engine
from engine.core.restore import restore, snapshot_of
from engine.journal.journal import JournalOptions, open_journal
from engine.journal.recovered import Recovered
from engine.journal.segment import HEADER_BYTES, decode_record, frames, segment_paths
from engine.model.config import EngineConfig
from engine.orders.client_ids import client_id_prefix
from engine.shell.configure import of_settings
from engine.shell.results import as_data, profit_data
from engine.strategies.base import registry
from engine.tables.database import make_engine
from engine.tables.follower import Follower
from engine.tables.round_trips import read_results
from gateways.simulator.exchange import account_queries, order_queries
from gateways.simulator.exchange.exchange import Exchange
from gateways.simulator.exchange.model.symbols import default_symbols
from gateways.simulator.store.persistence import Persistence
from gateways.simulator.store.records import state_slices
from gateways.wire.cursor import Cursor
from runtime.settings import load_settings
from runtime.settings.environment import Home
from tests.support.journal_rig import read_records
from tests.support.simulator_rig import Recorder

with patch.dict(registry._by_name):
    from tests.process.more_strategies.fault_script import FaultScript
    from tests.process.more_strategies.laddered import Laddered

STRATEGIES = {one.name: one for one in (FaultScript, Laddered)}
"""Of the demos. Their names are known only where a journal of theirs is opened."""
FOLDER = Path(__file__).parents[1] / "fixtures" / "files_v1"
OPTIONS = JournalOptions(segment_bytes=65_536, reserve_bytes=8_192, sync=False)
LATER_NS = 1_800_000_000_000_000_000
TABLES = ("orders", "fills", "signals", "positions", "equity")


def unpacked(name: str, folder: Path) -> Path:
    """The files of one archive, in `folder`."""
    with tarfile.open(FOLDER / f"{name}.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())
    return folder


def told(name: str) -> Any:  # noqa: ANN401  # JSON
    """What the version that wrote the files made of them."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def plain(value: Any) -> Any:  # noqa: ANN401  # JSON
    """As JSON brings it back: bytes in hex, exact numbers and floats as text."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool) or value is None:
        return value
    return repr(value) if isinstance(value, float) else int(value) if isinstance(value, int) else str(value)


def differences(before: Any, now: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401  # JSON
    """Where something of before is gone or another; what stands behind it is new and no difference."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key, value in before.items():
            yield from differences(value, now.get(key, "nothing"), f"{where}.{key}")
    elif isinstance(before, list) and isinstance(now, list) and len(now) >= len(before):
        for place, value in enumerate(before):
            yield from differences(value, now[place], f"{where}[{place}]")
    elif before != now:
        yield f"{where}: was {before!r}, is {now!r}"


def with_open_exits(parts: Any, name: str) -> Any:  # noqa: ANN401  # JSON
    """The same, the states of exit rules read out of the bytes they are kept in."""
    rows = [[*row[:-1], _exits_in(bytes.fromhex(row[-1]))] for row in parts[name]]
    return parts | {name: rows}


def _exits_in(raw: bytes) -> Any:  # noqa: ANN401  # JSON
    """Of a script: bar, open trades, closed trades, entries, and the exits of these trades and entries.

    The first version kept exits by id; later ones keep legs, and none for entries that are gone.
    """
    state = plain(msgspec.msgpack.decode(raw))
    if not isinstance(state[0], int):
        return state
    bar, trades, closed, entries, exits, _, *later = state
    exits |= {leg[0]: leg[1] for leg in later[1]} if later else {}
    alive = {"", *entries, *(trade["entry_id"] for trade in trades)}
    return [bar, trades, closed, entries, {k: one for k, one in exits.items() if one["from_entry"] in alive}]


def config_of(folder: Path, engine_id: str) -> EngineConfig:
    """Of the settings file beside the journal."""
    settings = load_settings("demo", home=Home(folder))
    return of_settings(settings, engine_id=engine_id, client_id_prefix=client_id_prefix(engine_id))


def started(folder: Path, account: str) -> tuple[Engine, Cursor, Recovered]:
    """A core that has recovered from the journal in `folder`, into which a start is written."""
    journal, found = open_journal(
        folder / "journal", account=account, now_ns=LATER_NS, new_engine_id=lambda: "zzzzzz", options=OPTIONS
    )
    journal.close(LATER_NS)
    with patch.dict(registry._by_name, STRATEGIES):
        engine = Engine(config_of(folder, journal.engine_id))
    return engine, restore(engine, found), found


def recovered(engine: Engine, cursor: Cursor, found: Recovered) -> Any:  # noqa: ANN401  # JSON
    """What a start knows, in words that are to stay: a change here is a change of what is traded."""
    account, store = engine.account, engine.store
    everyone = [*store.closed_orders(), *store.open_orders()]
    places = [one.key for one in engine.strategies.slots]
    paused = sorted(engine.operator.paused, key=lambda key: (places.index(key) if key in places else 99, key))
    return plain(
        {
            "engine_id": found.engine_id,
            "fencing": found.fencing,
            "next_sequence": found.next_sequence,
            "warnings": found.warnings,
            "lost": found.lost,
            "cursor": [cursor.epoch, cursor.sequence],
            "orders": [
                [
                    *(one.client_order_id, one.intent.strategy, one.intent.symbol, one.intent.side),
                    *(one.intent.order_type, one.intent.leg, one.state, one.qty_base, one.filled_base),
                    *(one.price, one.stop_price, one.average_price, one.reason),
                ]
                for one in everyone
            ],
            "open_orders": [one.client_order_id for one in store.open_orders()],
            "positions": {
                one.symbol: [one.qty_base, one.entry_price, one.realised_pnl, one.fees, one.fills]
                for one in account.positions()
            },
            "positions_of_strategies": [
                [owner, one.symbol, one.qty_base, one.entry_price, one.realised_pnl, one.fees, one.fills]
                for owner, one in account.strategy_positions()
            ],
            "positions_at_the_exchange": {one.symbol: one.qty_base for one in account.venue_positions()},
            "money": [
                *(account.wallet_balance, account.realised_pnl, account.fees, account.funding),
                *(account.other_changes, account.estimated_fees, account.daily_pnl, account.other_fees),
            ],
            "exit_states": [
                [one.strategy, one.symbol, one.bar_open_time_ns, one.state]
                for one in engine.trades.exit_states()
            ],
            "commands": engine.operator.saved().commands,
            "paused": [engine.operator.is_paused, engine.operator.paused_since_ns, paused],
            "killed": str(engine.operator.killed or ""),
            "leaving": [
                [(*one.key, one.leaving.text) for one in engine.strategies.slots if one.leaving],
                sorted((key, cause.text) for key, cause in engine.ownership.leaving.items()),
            ],
            "decided": [[one.owner, one.symbol, one.decided_open_ns] for one in engine.strategies.slots],
            "counts": msgspec.structs.astuple(engine.earlier),
            "account_id": engine.recovery.account_id,
            "lost_records": engine.lost.text,
            "newest_fill_ns": engine.recovery.last_fill_ns,
        }
    )


def snapshot_as_written(engine: Engine, cursor: Cursor) -> Any:  # noqa: ANN401  # JSON
    """The whole state that the next snapshot would hold, as nested lists."""
    orders, account, exits, extra = msgspec.msgpack.decode(snapshot_of(engine, cursor))
    return plain(
        {
            "orders": orders,
            "account": account,
            "exits": exits,
            "extra": {name: msgspec.msgpack.decode(raw) for name, raw in extra.items()},
        }
    )


def journal_lines(folder: Path) -> Any:  # noqa: ANN401  # JSON
    """Number of records of each kind, the fills, and the signals with their fates."""
    records = list(read_records(folder / "journal"))
    kinds = Counter(str(record.__struct_config__.tag) for _, record in records)
    rows = [
        [sequence, *msgspec.to_builtins(record)]
        for sequence, record in records
        if record.__struct_config__.tag in {"fill", "signal"}
    ]
    return plain({"kinds": dict(sorted(kinds.items())), "fills_and_signals": rows})


def earned(folder: Path) -> Any:  # noqa: ANN401  # JSON
    """Trades and profit as `ctl` counts them."""
    results = read_results(folder / "journal")
    trips = [*results.closed, *results.still_open]
    return plain(
        {
            "trades": as_data(trips),
            "profit": profit_data(results, trips),
            "funding": results.funding,
            "other": results.other,
            "fees_elsewhere": results.fees_elsewhere,
        }
    )


def payloads(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each record of the journal: where it stands, and its bytes."""
    for first, path in segment_paths(folder / "journal"):
        for sequence, payload, _ in frames(path.read_bytes(), HEADER_BYTES, first):
            yield f"{path.name} {sequence}", payload


def rewritten(payload: bytes) -> bytes:
    """The same record, read and written by this version."""
    return msgspec.msgpack.encode(decode_record(payload, "journal", 0))


def table_rows(database: Path) -> Any:  # noqa: ANN401  # JSON
    """Number of rows of each table and a digest of them, read past all code of the project."""
    found = {}
    connection = sqlite3.connect(database)
    for table in TABLES:
        cursor = connection.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        rows = sorted(repr(row) for row in cursor)
        found[table] = {"rows": len(rows), "digest": sha256("\n".join(rows).encode()).hexdigest()}
        found[table]["columns"] = names
    connection.close()
    return found


def tables_made(folder: Path) -> tuple[Any, int, list[str]]:
    """The tables after a look at the journal; how many records were new to them, and what was said."""
    engine = make_engine("", folder)
    follower = Follower(engine, folder / "journal")
    count = follower.catch_up()
    engine.dispose()
    return table_rows(folder / "tables.sqlite"), count, follower.notes


def exchange_of(folder: Path) -> tuple[Exchange, Persistence]:
    """The simulator's exchange as the state in `folder` says."""
    specs = {symbol: default_symbols()[symbol] for symbol in ("BTCUSDT", "ETHUSDT")}
    exchange = Exchange(specs, Recorder())
    store = Persistence(folder, exchange)
    assert store.restore()
    return exchange, store


def exchange_as_written(exchange: Exchange) -> Any:  # noqa: ANN401  # JSON
    """All that a snapshot of the exchange would hold, by kind."""
    encoder = msgspec.msgpack.Encoder(decimal_format="string")
    slices = [msgspec.msgpack.decode(encoder.encode(one)) for one in state_slices(exchange.state)]
    counters, *kinds = zip(*slices, strict=True)
    return plain(
        {"counters": counters[0], "rows": [[row for part in kind for row in part] for kind in kinds]}
    )


def exchange_says(exchange: Exchange) -> Any:  # noqa: ANN401  # JSON
    """Accounts, orders and positions by the exchange's own answers."""
    found: dict[str, Any] = {}
    for account in exchange.state.accounts:
        total = account_queries.account_summary(exchange.state, account)
        found[account] = {
            "wallet": total.total.wallet_balance,
            "alias": total.alias,
            "open_orders": [
                [one.client_order_id, one.symbol, one.side, one.type, one.price, one.orig_qty, one.status]
                for one in order_queries.open_orders(exchange.state, account)
            ],
            "open_algo_orders": [
                [one.client_algo_id, one.symbol, one.side, one.order_type, one.trigger_price, one.quantity]
                for one in order_queries.open_algo_orders(exchange.state, account)
            ],
            "positions": [
                [one.symbol, one.position_side, one.position_amt, one.entry_price]
                for symbol in exchange.state.specs
                for one in account_queries.position_rows(exchange.state, account, symbol)
            ],
            "trades": [
                [one.trade_id, one.order_id, one.side, one.price, one.qty_base, one.commission]
                for symbol in exchange.state.specs
                for one in exchange.state.user(account).trades
                if one.symbol == symbol
            ],
            "income": sum((one.income for one in exchange.state.user(account).income), Decimal(0)),
        }
    return plain(found)
