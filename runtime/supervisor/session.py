"""One run of an environment: its processes are started, watched and stopped in order."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Sequence

from runtime.process.heartbeat import Liveness
from runtime.supervisor.process import CannotKeepUp, Log, Patience, SupervisedProcess
from runtime.supervisor.specs import ProcessSpec
from runtime.supervisor.summary import RunSummary


class Session:
    """Runs the processes of an environment until asked to stop, or until one cannot be kept running."""

    def __init__(
        self, specs: Sequence[ProcessSpec], log: Log, summary: RunSummary, patience: Patience | None = None
    ) -> None:
        patience = patience or Patience()
        self.processes = {spec.name: SupervisedProcess(spec, log, patience) for spec in specs}
        self._liveness = Liveness(
            self.processes.values(), lambda sentence: log("supervisor", sentence), patience.silent_seconds
        )
        self.summary = summary
        self.final_lines: list[str] = []
        """After a failure: the last output of the process, and the reason for the end."""
        self._log = log
        self._stop = asyncio.Event()
        self._started = time.monotonic()
        engine = self.processes.get("engine")
        if engine is not None:
            engine.on_exit = summary.engine_died

    @property
    def seconds(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self._started

    @property
    def restarts(self) -> int:
        """Number of restarts, all processes together."""
        return sum(process.restarts for process in self.processes.values())

    def request_stop(self) -> None:
        """Ask for an orderly end; the second call kills the processes."""
        if self._stop.is_set():
            for process in self.processes.values():
                process.kill()
        self._stop.set()

    async def run(self, for_seconds: float | None = None) -> int:
        """Exit code: 0 after an orderly end, else that of the process that could not be kept running."""
        self._started = time.monotonic()
        self.summary.forget_last_run()
        tasks: list[asyncio.Task[None]] = []
        stop = asyncio.create_task(self._stop.wait())
        try:
            starting = asyncio.create_task(self._start(tasks))
            code = await self._watch(starting, tasks, stop, for_seconds)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        finally:
            stop.cancel()
            for process in reversed(self.processes.values()):
                await process.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
        return code

    async def _start(self, tasks: list[asyncio.Task[None]]) -> None:
        async def one(process: SupervisedProcess) -> None:
            if process.spec.waits_for:
                await self.processes[process.spec.waits_for].ready.wait()
            tasks.append(process.start())

        await asyncio.gather(*(one(process) for process in self.processes.values()))

    async def _watch(
        self,
        starting: asyncio.Task[None],
        tasks: list[asyncio.Task[None]],
        stop: asyncio.Task[bool],
        for_seconds: float | None,
    ) -> int:
        loop = asyncio.get_running_loop()
        deadline = None if for_seconds is None else loop.time() + for_seconds
        while True:
            waiting: set[asyncio.Task[None] | asyncio.Task[bool]] = {stop, *tasks}
            if not starting.done():
                waiting.add(starting)
            left = 0.5 if deadline is None else min(0.5, max(deadline - loop.time(), 0))
            await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            self._liveness.look(loop.time())
            for task in tasks:
                if task.done() and not task.cancelled():
                    error = task.exception()
                    if isinstance(error, CannotKeepUp):
                        self._give_up(task.get_name(), str(error))
                        return error.code
                    if error is not None:
                        raise error
            if stop.done():
                return 0
            if deadline is not None and loop.time() >= deadline:
                return self._verdict()

    def _verdict(self) -> int:
        """The exit code after the requested time: 1 if a process was failing."""
        failing = [name for name, process in self.processes.items() if process.is_failing]
        for name in failing:
            self._give_up(name, f"{name} could not be kept running")
        return 1 if failing else 0

    def _give_up(self, name: str, sentence: str) -> None:
        self._log("supervisor", sentence)
        last = self.processes[name].last_line
        self.final_lines += [*([f"[{name}] {last}"] if last else []), f"[supervisor] {sentence}"]


@contextlib.asynccontextmanager
async def stopped_by_signals(session: Session) -> AsyncIterator[None]:
    """Stop the session in order on SIGTERM, Ctrl+C, Ctrl+Break or a closed terminal."""
    loop = asyncio.get_running_loop()
    before = {}
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, lambda *_: loop.call_soon_threadsafe(session.request_stop))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
