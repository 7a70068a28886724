"""The live process: settings, journal, gateway and control socket around the core."""

import asyncio
import contextlib
import gc
import hashlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence

from engine.core.engine import Engine
from engine.core.restore import restore, snapshot_of
from engine.journal.journal import JournalError, JournalFull, JournalOptions, open_journal
from engine.market_data.remote_feed import RemoteFeed
from engine.model.audit import AuditEvent
from engine.model.config import EngineConfig
from engine.model.events import Event, JournalState, LinkDown, Stop, StrategyEnded, Timer
from engine.model.records import JournalRecord
from engine.orders.client_ids import client_id_prefix, engine_id_from
from engine.risk.configured import RuleRefused
from engine.shell.chat import ChatThread
from engine.shell.configure import of_settings
from engine.shell.control_server import ControlServer
from engine.shell.observers import Observers
from engine.shell.performer import Performer
from engine.shell.rehearsal import Rehearsal
from engine.shell.status import StatusKeeper
from engine.shell.strategy_watch import Death, StrategyWatch, deaths_at_work, forbid_forks
from engine.shell.tables_process import TablesProcess
from engine.strategies.slot import StrategyRefused
from gateways.wire.client import EngineIdentity
from gateways.wire.errors import TokenError
from gateways.wire.messages import AccountUpdate, OrderUpdate, Refused, Reply, Snapshot
from gateways.wire.token import load_or_make_token
from runtime.control.status import write_status
from runtime.process import event_loop
from runtime.process.child import EXIT_CONFIGURATION, WAS_UP_VARIABLE, parse_arguments, stop_on_request
from runtime.process.files import keep_private
from runtime.settings import Settings, SettingsError, load_settings
from runtime.settings.clock import wall_clock
from runtime.settings.environment import Home, listen, ports_to_try

EXIT_REFUSED = 3
_FLUSH_AFTER_S = 0.02
_FAR_NS = 3_600_000_000_000
_TABLES_AFTER_S = 10.0
_ANSWERS_S = 1.0
"""How long the end waits for replies to open requests."""
_TAKEN_AT_THE_END = (Reply, OrderUpdate, AccountUpdate, LinkDown, Stop)
"""Results of earlier decisions; events that could lead to new ones are ignored at the end."""


class LiveEngine:
    """The live process from start to end."""

    def __init__(self, settings: Settings, *, same_run: bool = False) -> None:
        """`same_run`: an engine was up earlier in this run."""
        self._settings = settings
        deaths = deaths_at_work(settings.engine_dir, same_run=same_run)
        self._now_ns = wall_clock(settings.clock.speed, settings.clock.epoch_ms)
        self._speed = settings.clock.speed
        self._token = token = load_or_make_token(settings.token_path)
        self._journal, found = open_journal(
            settings.engine_dir / "journal",
            account=_account_name(settings),
            now_ns=self._now_ns(),
            new_engine_id=lambda: engine_id_from(secrets.token_bytes(8)),
            options=_journal_options(settings),
        )
        prefix = client_id_prefix(self._journal.engine_id)
        config = of_settings(settings, engine_id=self._journal.engine_id, client_id_prefix=prefix)
        self.engine = self._make_core(config)
        self._cursor = restore(self.engine, found)
        self._feed = RemoteFeed(
            EngineIdentity(self._journal.engine_id, self._journal.fencing, config.symbols, prefix),
            host=settings.wire.host,
            port=self._wire_port,
            token=token,
            cursor=self._cursor,
            now_ns=self._now_ns,
            on_refused=self._on_refused,
            together=self._together,
        )
        self._feed.client.countdown_ms = 1000 * settings.gateway.dead_man_seconds
        self._keeper = StatusKeeper(self.engine)
        self._observers = Observers(settings, self.engine.health.show_price)
        for sentence in found.warnings:
            self._observers.say("warning", "journal", sentence)
        self._performer = Performer(self.engine, self._journal, self._feed, self._observe, self._now_ns)
        self._watch = StrategyWatch(settings.engine_dir, self._observers.say)
        self._deaths = deaths
        self.engine.strategies.guard.watch = self._watch
        self._control = ControlServer(
            token,
            self.take,
            self._now_ns,
            lambda: self._keeper.status(self._now_ns()),
            self.engine.health.show_price,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._flush_handle: asyncio.TimerHandle | None = None
        self._rehearsing: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[int] | None = None
        self._tables: TablesProcess | None = None
        self._chat: ChatThread | None = None
        self._seconds = 0.0
        self._broken = False
        self._answers: asyncio.Future[None] | None = None
        self._status_fails = False

    def _wire_port(self, tries: int) -> int:
        """The gateway's port; after a restart it may have moved (`runtime.settings.environment.listen`)."""
        ports = ports_to_try("wire", self._settings.wire.port, self._settings.data_dir)
        return ports[tries % len(ports)]

    def _make_core(self, config: EngineConfig) -> Engine:
        try:
            return Engine(config)
        except (StrategyRefused, RuleRefused):
            self._journal.close(self._now_ns())
            raise

    async def run(self, *, exit_with_stdin: bool) -> int:
        """Run until asked to stop or unable to go on. Returns the exit code."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._loop.set_exception_handler(self._on_loop_error)
        stop_on_request(lambda: self._end(0), exit_with_stdin=exit_with_stdin)
        self._observers.start()
        port = self._settings.engine.control_port
        try:
            await listen("control", port, self._settings.data_dir, self._control.start, self._say_moved)
        except OSError as error:
            self._observers.say("critical", "control", f"cannot listen on port {port}: {error}")
            self._observers.stop()
            self._journal.close(self._now_ns())
            return 1
        self._chat = ChatThread(self._settings, self._control.port, self._token)
        self._chat.start()
        self._observers.say(
            "info",
            "engine",
            f"{self._journal.engine_id} start {self._journal.fencing}, control port {self._control.port}",
        )
        self._write_status()
        self._keep_warm()
        # A collection at the wrong moment takes longer than an order: existing objects are frozen, and new
        # garbage is collected in the housekeeping.
        gc.collect()
        gc.freeze()
        gc.disable()
        for death in self._deaths:
            self._leave_out(death)
        self._feed.start(self.take)
        housekeeping = self._loop.create_task(self._housekeeping(), name="housekeeping")
        housekeeping.add_done_callback(self._on_housekeeping_ended)
        code = await self._ended
        housekeeping.cancel()
        await asyncio.gather(housekeeping, return_exceptions=True)
        if code == 0:
            await self._wait_for_replies()
        await self._shut_down()
        return code

    def _leave_out(self, death: Death) -> None:
        if death.is_final:
            self.take(StrategyEnded(self._now_ns(), death.strategy, death.symbol, death.sentence))
        else:
            self._observers.say("critical", "strategy", death.sentence)

    def _say_moved(self, sentence: str) -> None:
        self._observers.say("warning", "control", sentence)

    def take(self, event: Event) -> None:
        """Give one event to the core and perform its effects."""
        if self._broken or (self._answers is not None and not isinstance(event, _TAKEN_AT_THE_END)):
            return
        if type(event) is Snapshot and self._is_of_another_account(event):
            return
        try:
            if self._performer.take(event) and self._performer.journal_is_dirty:
                self._flush_soon()
        except JournalError as error:
            self._on_journal_error(error)
            return
        except BaseException:
            self._broken = True  # the event is half processed: the rest must not be performed
            raise
        if self._answers is not None:
            if not self._is_under_way() and not self._answers.done():
                self._answers.set_result(None)
        elif self.engine.next_deadline_ns != self._timer_ns:
            self._set_timer()

    def _is_of_another_account(self, snapshot: Snapshot) -> bool:
        """Whether the journal belongs to another account than the exchange's: then the engine must stop."""
        ours = self.engine.recovery.account_id
        if snapshot.account_id in {"", ours} or not ours:
            return False
        self._observers.say(
            "critical",
            "journal",
            f"the journal in {self._settings.engine_dir / 'journal'} is of account {ours}, the exchange's is "
            f"{snapshot.account_id}: give the keys of {ours}, or move the journal away to start a new one",
        )
        self._end(EXIT_CONFIGURATION)
        return True

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """Events that arrived together share one flush of the journal."""
        self._performer.gather()
        try:
            yield
        finally:
            if not self._broken:
                self._release()

    def _release(self) -> None:
        try:
            if self._performer.release() and self._performer.journal_is_dirty:
                self._flush_soon()
        except JournalError as error:
            self._on_journal_error(error)
        except BaseException:
            self._broken = True
            raise

    def _keep_warm(self) -> None:
        """Begin the rehearsals, unless the settings say 0."""
        every_s = self._settings.engine.rehearse_ms / 1e3
        if every_s:
            self._rehearse(Rehearsal(self.engine.config), every_s)

    def _rehearse(self, rehearsal: Rehearsal, every_s: float) -> None:
        if self.engine.health.reconciled:  # before that no order can be needed
            rehearsal.once()
        if self._loop is not None:
            self._rehearsing = self._loop.call_later(every_s, self._rehearse, rehearsal, every_s)

    def _set_timer(self) -> None:
        loop = self._loop
        if loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = self.engine.next_deadline_ns
        delay_ns = min(max(0, self._timer_ns - self._now_ns()), _FAR_NS)
        self._timer = loop.call_later(delay_ns / 1e9 / self._speed, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_ns = 0
        self.take(Timer(self._now_ns()))
        if self._timer is None:
            self._set_timer()

    def _flush_soon(self) -> None:
        if self._flush_handle is None and self._loop is not None:
            self._flush_handle = self._loop.call_later(_FLUSH_AFTER_S, self._flush)

    def _flush(self) -> None:
        self._flush_handle = None
        try:
            self._performer.flush()
        except JournalError as error:
            self._on_journal_error(error)

    async def _housekeeping(self) -> None:
        """Periodically: status file, disk space for the journal, rotation, garbage, the tables process."""
        settings = self._settings
        while True:
            await asyncio.sleep(settings.engine.summary_seconds)
            self.take(Timer(self._now_ns()))
            self._write_status()
            accepts = self._journal.check_space()
            if accepts != self.engine.health.journal_ok:
                self.take(JournalState(self._now_ns(), accepts))
            if self._journal.wants_rotation:
                self._rotate()
            gc.collect(1)
            self._seconds += settings.engine.summary_seconds
            if self._tables is not None:
                self._tables.revive(self._seconds - _TABLES_AFTER_S)
            elif self._seconds > _TABLES_AFTER_S:
                self._tables = TablesProcess(settings.environment)

    def _rotate(self) -> None:
        try:
            self._journal.rotate(snapshot_of(self.engine, self._feed.client.cursor, self._keeper.counts()))
        except JournalFull as error:
            self._observers.say("warning", "journal", str(error))
            self.take(JournalState(self._now_ns(), accepts_entries=False))
        except JournalError as error:
            self._on_journal_error(error)

    def _write_status(self) -> None:
        """On a full disk only the status is missing, which is reported once."""
        try:
            write_status(self._settings.summary_path, self._keeper.status(self._now_ns()))
        except OSError as error:
            if not self._status_fails:
                text = f"{self._settings.summary_path} cannot be written: {error.strerror}"
                self._observers.say("warning", "status", text)
            self._status_fails = True
        else:
            self._status_fails = False

    async def _wait_for_replies(self) -> None:
        """Wait a moment for replies to the last requests; nothing is decided from here on."""
        self._answers = asyncio.get_running_loop().create_future()
        self._cancel(self._timer, self._rehearsing)
        if not self._broken and self._is_under_way():
            await asyncio.wait([self._answers], timeout=_ANSWERS_S)

    def _is_under_way(self) -> bool:
        return self.engine.health.connected and self.engine.orders.is_waiting

    def _cancel(self, *handles: asyncio.TimerHandle | None) -> None:
        for handle in handles:
            if handle is not None:
                handle.cancel()

    async def _shut_down(self) -> None:
        # At the time of the last event: a later time would trigger what has become due since.
        self.take(Stop(self.engine.clock.now_ns or self._now_ns(), "asked to stop"))
        self._cancel(self._timer, self._flush_handle, self._rehearsing)
        if self._chat is not None:
            self._chat.stop()
        await self._control.close()
        await self._feed.close()
        self._write_status()
        if not self._broken:
            self._journal.close(self._now_ns())
        self._observers.stop()
        self._watch.close()
        if self._tables is not None:
            self._tables.stop()

    def _observe(self, events: Sequence[JournalRecord | AuditEvent]) -> None:
        """Count at once, report later: the next frame may be waiting."""
        self._keeper.observe(events)
        if self._loop is not None:
            self._loop.call_soon(self._report, events)

    def _report(self, events: Sequence[JournalRecord | AuditEvent]) -> None:
        self._observers.tell(events)
        self._control.publish(events)

    def _on_refused(self, refused: Refused) -> None:
        self._observers.say("critical", "gateway", f"refused: {refused.reason}")
        if self._feed.client.is_refused:
            self._end(EXIT_REFUSED)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A bug in a callback: the process ends, because its state can no longer be trusted."""
        loop.default_exception_handler(context)
        self._broken = True
        self._end(1)

    def _on_housekeeping_ended(self, task: asyncio.Task[None]) -> None:
        """It never ends by itself. Without it the journal is not rotated and garbage not collected."""
        if not task.cancelled() and task.exception() is not None and self._loop is not None:
            context: dict[str, object] = {
                "message": "the housekeeping failed",
                "exception": task.exception(),
            }
            self._on_loop_error(self._loop, context)

    def _on_journal_error(self, error: JournalError) -> None:
        """The journal cannot be written, so nothing more may be done: the event is half performed."""
        self._broken = True
        self._observers.say("critical", "journal", str(error))
        self._end(1)

    def _end(self, code: int) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(code)


def _account_name(settings: Settings) -> str:
    """Name of the account by environment, address and key file: a journal of another one is refused."""
    if settings.simulator.enabled:
        return f"{settings.environment}:simulator"
    digest = hashlib.sha256(settings.gateway.rest_url.encode()).hexdigest()[:8]
    return f"{settings.environment}:{digest}:{settings.gateway.keys_file}"


def _journal_options(settings: Settings) -> JournalOptions:
    journal = settings.engine.journal
    return JournalOptions(
        segment_bytes=journal.segment_bytes, reserve_bytes=journal.reserve_bytes, sync=journal.sync
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; configuration errors are one sentence and exit code 2."""
    arguments = parse_arguments("Run the deciding process of one environment.", argv, can_check=True)
    try:
        settings = load_settings(
            arguments.environment, arguments.symbol, accept_real_orders=arguments.accept_real_orders
        )
        if arguments.check:
            Engine(of_settings(settings, engine_id="check", client_id_prefix="check"))
            return 0
        keep_private(settings.engine_dir, settings.data_dir, settings.vault_dir)
        forbid_forks()
        live = LiveEngine(settings, same_run=WAS_UP_VARIABLE in os.environ)
    except (StrategyRefused, RuleRefused) as error:
        sys.stderr.write(f"{Home.find().config(arguments.environment)}: {error}\n")
        return EXIT_CONFIGURATION
    except (SettingsError, JournalError, TokenError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIGURATION
    except OSError as error:
        sys.stderr.write(f"{error.filename or settings.engine_dir} cannot be used: {error.strerror}\n")
        return EXIT_CONFIGURATION
    return event_loop.run(live.run(exit_with_stdin=arguments.exit_with_stdin))
