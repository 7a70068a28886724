"""One supervised process: started, read, restarted, stopped."""

import asyncio
import contextlib
import os
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from runtime.process.child import EXIT_CONFIGURATION, OWN_SESSION, WAS_UP_VARIABLE
from runtime.process.heartbeat import BEAT, BEAT_VARIABLE
from runtime.supervisor.specs import ProcessSpec

FAILING_AFTER = 3
KILLED_CODE = -9
"""Exit code of a process that was killed from outside; known on POSIX only."""
LONGEST_LINE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """Waiting times. A process that runs for `settled_seconds` is stable; one that dies `give_up_after` times
    in a row before that is given up. One that has been ready for `back_seconds` is back, whatever happened
    before. One that hangs is killed after `silent_seconds` (`heartbeat.Liveness`).
    """

    first_backoff_seconds: float = 0.1
    longest_backoff_seconds: float = 5.0
    settled_seconds: float = 10.0
    back_seconds: float = 2.0
    give_up_after: int = 8
    ready_seconds: float = 60.0
    stop_seconds: float = 12.0
    terminate_seconds: float = 2.0
    silent_seconds: float = 30.0


class Log(Protocol):
    """Takes lines of output."""

    def __call__(self, source: str, line: str) -> None:
        """`source` is the process, or "supervisor"."""


class CannotKeepUp(Exception):
    """A process died too often, or its configuration is wrong; `code` is the resulting exit code."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class SupervisedProcess:
    """Keeps one process running until it is asked to stop."""

    def __init__(self, spec: ProcessSpec, log: Log, patience: Patience) -> None:
        self.spec = spec
        self.ready = asyncio.Event()
        self.restarts = 0
        self.beats = 0
        self.ended_s = 0.0
        """When it last ended, seconds since 1970; 0 before that."""
        self.last_line = ""
        """The newest line of its output."""
        self.state = "waiting"
        """waiting, starting, up, restarting or stopped."""
        self.on_exit: Callable[[], None] = lambda: None
        """Called after each death, before the next start."""
        self._early_deaths = 0
        self._ready_at = 0.0
        self._was_up = False
        self._log = log
        self._patience = patience
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None else None

    @property
    def is_failing(self) -> bool:
        """Whether it never came up, or has died early several times in a row and is not back."""
        if self.state == "waiting":
            return True
        up_for = asyncio.get_running_loop().time() - self._ready_at
        is_back = self.state == "up" and up_for >= self._patience.back_seconds
        return self._early_deaths >= FAILING_AFTER and not is_back

    def start(self) -> asyncio.Task[None]:
        """Start it and restart it whenever it dies; the task raises `CannotKeepUp` if that does not help."""
        self._task = asyncio.create_task(self._keep_up(), name=self.spec.name)
        return self._task

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        patience = self._patience
        backoff = patience.first_backoff_seconds
        while True:
            started = loop.time()
            code = await self._run_once()
            if self._stopping.is_set():
                self.state = "stopped"
                return
            if code == EXIT_CONFIGURATION:
                raise CannotKeepUp(f"{self.spec.name} cannot work with its configuration", code)
            # Killed from outside while it was up: that does not mean that it cannot stay up.
            was_taken = code == KILLED_CODE and self.ready.is_set()
            if was_taken or loop.time() - started >= patience.settled_seconds:
                self._early_deaths = 0
                backoff = patience.first_backoff_seconds
            self._early_deaths += not was_taken
            if self._early_deaths >= patience.give_up_after:
                raise CannotKeepUp(
                    f"{self.spec.name} ended {self._early_deaths} times in a row: giving up", 1
                )
            self.restarts += 1
            self.state = "restarting"
            self._log("supervisor", f"{self.spec.name} {how_it_ended(code)}, restarting it in {backoff:g} s")
            self.on_exit()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff):
                    await self._stopping.wait()
                self.state = "stopped"
                return
            backoff = min(2 * backoff, patience.longest_backoff_seconds)

    async def stop(self) -> None:
        """Close its stdin, which asks it to stop; terminate and then kill it if that does not help."""
        self._stopping.set()
        if self._task is None:
            return
        patience = self._patience
        steps: tuple[tuple[str, Callable[[], None], float], ...] = (
            ("", self._close_stdin, patience.stop_seconds),
            ("does not stop: terminating it", self._terminate, patience.terminate_seconds),
            ("does not terminate: killing it", self.kill, patience.terminate_seconds),
        )
        for sentence, ask, seconds in steps:
            if sentence:
                self._log("supervisor", f"{self.spec.name} {sentence}")
            ask()
            await asyncio.wait({self._task}, timeout=seconds)
            if self._task.done():
                return

    def kill(self) -> None:
        """Kill it at once; it is not restarted."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def end_hanging(self, sentence: str) -> None:
        """Kill a process that hangs; it is restarted."""
        process = self._process
        if process is None or process.returncode is not None or self._stopping.is_set():
            return
        self._log("supervisor", f"{self.spec.name} {sentence}")
        with contextlib.suppress(ProcessLookupError):
            process.kill()

    def _close_stdin(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _terminate(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    async def _run_once(self) -> int:
        self.ready.clear()
        self.beats = 0
        self.state = "starting"
        environment = {BEAT_VARIABLE: "1"} | ({WAS_UP_VARIABLE: "1"} if self._was_up else {})
        process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env={**os.environ, **environment, **self.spec.environment},
            **OWN_SESSION,
        )
        self._process = process
        if self._stopping.is_set():
            self._close_stdin()
        if not self.spec.ready_line:
            self._is_ready()
        reader = asyncio.create_task(self._read_lines(process))
        watch = asyncio.create_task(self._kill_unless_ready(process))
        try:
            code = await process.wait()
            self.ended_s = time.time()
            # Its last output is read to the end, unless a child of it still holds the pipe.
            await asyncio.wait({reader}, timeout=1.0)
        finally:
            watch.cancel()
            reader.cancel()
        return code

    async def _kill_unless_ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(self._patience.ready_seconds):
                await self.ready.wait()
        except TimeoutError:
            self._log("supervisor", f"{self.spec.name} is not ready in time: killing it")
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _read_lines(self, process: Process) -> None:
        """Read until its output ends. A line above `LONGEST_LINE` is split."""
        if process.stdout is None:
            raise AssertionError("stdout is a pipe")
        rest = b""
        while data := await process.stdout.read(65_536):
            self.beats += data.count(BEAT)
            *lines, rest = (rest + data.replace(BEAT, b"")).split(b"\n")
            for line in lines:
                self._line(line)
            if len(rest) > LONGEST_LINE:
                self._line(rest)
                rest = b""
        if rest:
            self._line(rest)

    def _line(self, raw: bytes) -> None:
        line = raw[:LONGEST_LINE].decode("utf-8", "replace").rstrip()
        if self.spec.ready_line and self.spec.ready_line in line:
            self._is_ready()
        if line:
            self.last_line = line
            self._log(self.spec.name, line)

    def _is_ready(self) -> None:
        if not self.ready.is_set():
            self._ready_at = asyncio.get_running_loop().time()
        self.state = "up"
        self._was_up = True
        self.ready.set()


def how_it_ended(code: int) -> str:
    """Words for an exit code."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
