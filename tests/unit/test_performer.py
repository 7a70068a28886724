"""In what order the shell does what the core wants done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.audit import Notice
from engine.core.effects import Append, Effect, Notify, Send
from engine.core.events import Timer
from engine.shell import performer
from engine.shell.performer import Performer
from engine.storage.journal import open_journal
from engine.storage.records import Sent
from gateways.wire.messages import SubmitOrder, ToGateway

ORDER = SubmitOrder(1, "BTCUSDT", "nb-1", "BUY", "MARKET", Decimal("0.001"))
RECORD = Append(Sent("nb-1", 1, 5))
NOTICE = Notify(Notice(5, "info", "a word"))


@contextmanager
def performing(
    folder: Path, effects: Sequence[Effect], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """What is done for one event that leads to `effects`, as words in their order."""
    done: list[str] = []
    core: Any = SimpleNamespace(process=lambda _: effects, out=SimpleNamespace(hurry=None))
    journal, _ = open_journal(folder, account="test", now_ns=1, new_engine_id=lambda: "e1")
    durable = journal.durable_sequence

    class Gateway:
        def send(self, message: ToGateway) -> None:
            done.append("sent" if journal.durable_sequence > durable else "sent before it was durable")

    monkeypatch.setattr(performer, "give_way", lambda: done.append("gave way"))
    Performer(core, journal, Gateway(), lambda _: done.append("told"), lambda: 5).take(Timer(5))
    yield done
    journal.close(9)


def test_an_order_leaves_durable_then_the_gateway_may_run_then_people_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with performing(tmp_path, [RECORD, Send(ORDER), NOTICE], monkeypatch) as done:
        assert done == ["sent", "gave way", "told"]


def test_without_a_request_nobody_is_given_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with performing(tmp_path, [RECORD, NOTICE], monkeypatch) as done:
        assert done == ["told"]
