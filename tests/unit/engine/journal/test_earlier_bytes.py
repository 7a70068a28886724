"""Client order ids, records and messages are, to the byte, what an earlier version made of the same."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from engine.journal.segment import FRAME_BYTES, decode_record, frame
from engine.model.audit import AuditEvent
from engine.model.cause import Cause
from engine.model.earlier_words import in_present_words
from engine.model.leg import Leg
from engine.model.records import JournalRecord
from engine.orders import client_ids
from runtime.control import protocol
from runtime.control.status import EngineStatus
from runtime.supervisor.summary import RunSummary
from tests.support import earlier_files as earlier

MAKERS = {"bar": Cause.bar, "command": Cause.command, "fill": Cause.fill}
MESSAGES = protocol.Challenge | protocol.Login | protocol.Request | protocol.Response | protocol.AuditLine


def lost_in(told: object, kind: type) -> list[str]:
    """What is another after it was read and written."""
    message = msgspec.json.decode(msgspec.json.encode(told), type=kind)
    return list(earlier.differences(told, msgspec.json.decode(msgspec.json.encode(message))))


def test_the_same_order_has_the_client_id_it_always_had():
    for engine_id, strategy, symbol, cause, leg, attempt, told in earlier.told("client_order_ids")["ids"]:
        made = client_ids.client_order_id(
            engine_id,
            strategy=strategy,
            symbol=symbol,
            cause=Cause.parse(cause),
            leg=Leg.parse(leg),
            attempt=attempt,
        )
        assert made == told


def test_causes_prefixes_and_identities_are_the_words_they_always_were():
    told = earlier.told("client_order_ids")
    for kind, *parts, cause in told["causes"]:
        assert MAKERS[kind](*parts).text == cause
    for engine_id, prefix in told["prefixes"]:
        assert client_ids.client_id_prefix(engine_id) == prefix
    for entropy, engine_id in told["identities"]:
        assert client_ids.engine_id_from(bytes.fromhex(entropy)) == engine_id


@pytest.mark.parametrize("number", range(1, len(earlier.told("records")) + 1))
def test_a_record_is_written_in_the_bytes_it_always_was(number: int):
    row = earlier.told("records")[number - 1]
    record: Any = msgspec.json.decode(msgspec.json.encode(row["record"]), type=JournalRecord)
    written = frame(record, number, number - 1)
    told = bytes.fromhex(row["frame"])
    before, now = (earlier.plain(msgspec.msgpack.decode(one[FRAME_BYTES:])) for one in (told, written))
    assert list(earlier.differences(before, now)) == []
    if now == before:  # no field has been appended since
        assert written.hex() == row["frame"]
    read = decode_record(told[FRAME_BYTES:], "journal", number)
    assert msgspec.json.encode(read) == msgspec.json.encode(in_present_words(record))
    assert list(type(read).__struct_fields__)[: len(row["fields"])] == row["fields"]


def test_the_bytes_of_every_kind_of_record_are_fixed():
    """A new kind gets rows of its own, behind the others."""
    tags = {row["record"][0] for row in earlier.told("records")}
    assert tags == {kind.__struct_config__.tag for kind in get_args(JournalRecord)}


def test_a_status_file_keeps_its_keys():
    assert lost_in(earlier.told("names")["status"], EngineStatus) == []


def test_a_run_summary_keeps_its_keys(tmp_path: Path):
    summary = RunSummary(tmp_path / "none.json").merged(seconds=1.0, restarts=0)
    assert set(earlier.told("names")["summary"]) <= set(summary)


SAID = [("control", place, MESSAGES) for place in range(len(earlier.told("names")["control"]))] + [
    ("audit", place, AuditEvent) for place in range(len(earlier.told("names")["audit"]))
]


@pytest.mark.parametrize(("where", "place", "kind"), SAID)
def test_what_is_said_on_the_control_socket_keeps_its_words(where: str, place: int, kind: type):
    assert lost_in(earlier.told("names")[where][place], kind) == []
