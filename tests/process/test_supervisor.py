"""Processes are started, restarted and stopped in order, and none is left behind."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.control.status import EngineStatus, write_status
from runtime.supervisor.process import Patience
from runtime.supervisor.session import Session
from runtime.supervisor.specs import ProcessSpec
from runtime.supervisor.summary import RunSummary

HERE = Path(__file__).parent
QUICK = Patience(
    first_backoff_seconds=0.01,
    longest_backoff_seconds=0.02,
    settled_seconds=60,
    give_up_after=4,
    ready_seconds=20,
    stop_seconds=5,
    terminate_seconds=0.3,
)


class Lines(list[str]):
    """A log that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def __call__(self, source: str, line: str) -> None:
        self.append(f"{source}: {line}")
        self.news.set()

    async def until(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(30):
            while sum(text in line for line in self) < times:
                self.news.clear()
                await self.news.wait()


def stub(folder: Path, name: str, *manners: str, waits_for: str = "", ready: str = "is ready") -> ProcessSpec:
    pids = folder / name
    pids.mkdir(exist_ok=True)
    command = (sys.executable, str(HERE / "supervised_stub.py"), str(pids), *manners)
    return ProcessSpec(name, command, {"PYTHONUNBUFFERED": "1"}, ready_line=ready, waits_for=waits_for)


def pids(folder: Path, name: str) -> list[int]:
    return [
        int(file.name) for file in sorted((folder / name).iterdir(), key=lambda file: file.stat().st_mtime)
    ]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is dead already and waits only to be counted.
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def session(folder: Path, log: Lines, *specs: ProcessSpec, patience: Patience = QUICK) -> Session:
    return Session(specs, log, RunSummary(folder / "summary.json"), patience)


async def started(one: Session, for_seconds: float | None = None) -> asyncio.Task[int]:
    return asyncio.create_task(one.run(for_seconds))


def test_processes_start_after_what_they_wait_for_and_stop_in_reverse(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "market"), stub(tmp_path, "gateway", waits_for="market"))
        task = await started(one)
        await log.until("gateway: stub is ready")
        assert log.index("market: stub is ready") < log.index("gateway: stub is ready")
        one.request_stop()
        assert await task == 0
        stops = [line for line in log if "stopped in order" in line]
        assert stops == ["gateway: stopped in order", "market: stopped in order"]
        assert not any(is_alive(pid) for name in ("market", "gateway") for pid in pids(tmp_path, name))

    asyncio.run(main())


def test_a_process_knows_whether_it_was_up_in_this_run(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "gateway", "crash-twice"))
        task = await started(one)
        await log.until("stub is ready")
        os.kill(pids(tmp_path, "gateway")[-1], signal.SIGKILL)
        await log.until("stub is ready", 2)
        one.request_stop()
        assert await task == 0
        told = [line for line in log if "gateway: was" in line]
        assert told == 3 * ["gateway: was never up"] + ["gateway: was up"]

    asyncio.run(main())


def test_a_crashed_process_is_started_again_and_counted(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "engine"))
        task = await started(one)
        await log.until("engine: stub is ready")
        write_status(tmp_path / "summary.json", EngineStatus(time_ns=1, ticks=10, fills=2))
        os.kill(pids(tmp_path, "engine")[0], signal.SIGKILL)
        await log.until("engine: stub is ready", 2)
        write_status(
            tmp_path / "summary.json", EngineStatus(time_ns=2, ticks=5, fills=1, wallet_balance="99.5")
        )
        one.request_stop()
        assert await task == 0
        assert one.restarts == 1
        assert "supervisor: engine was ended by signal 9, restarting it in 0.01 s" in log
        numbers = one.summary.merged(seconds=1.0, restarts=one.restarts)
        assert (numbers["ticks"], numbers["fills"], numbers["wallet_balance"]) == (15, 3, 99.5)

    asyncio.run(main())


def test_a_process_that_cannot_be_kept_up_ends_the_session_with_its_code(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "market"), stub(tmp_path, "engine", "crash"))
        assert await (await started(one)) == 1
        assert len(pids(tmp_path, "engine")) == QUICK.give_up_after
        assert not is_alive(pids(tmp_path, "market")[0])

    asyncio.run(main())


def test_a_process_with_a_wrong_configuration_is_not_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "engine", "misconfigured"))
        assert await (await started(one)) == 2
        assert len(pids(tmp_path, "engine")) == 1
        assert "engine: configs/x.toml: something is wrong" in log

    asyncio.run(main())


def test_a_process_that_was_failing_all_the_time_asked_for_is_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        patience = Patience(first_backoff_seconds=0.01, longest_backoff_seconds=0.01, give_up_after=10_000)
        one = session(tmp_path, log, stub(tmp_path, "engine", "crash"), patience=patience)
        assert await (await started(one, for_seconds=2)) == 1
        assert "supervisor: engine could not be kept running" in log

    asyncio.run(main())


def test_a_process_that_crashed_twice_at_first_is_up_in_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "engine", "crash-twice"))
        task = await started(one)
        await log.until("engine: stub is ready")
        assert one.processes["engine"].state == "up"
        one.request_stop()
        assert await task == 0
        assert one.restarts == 2

    asyncio.run(main())


def test_a_process_killed_again_and_again_while_it_is_up_is_kept_up(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "engine"))
        task = await started(one, for_seconds=600)
        for number in range(1, 3 * QUICK.give_up_after):
            await log.until("engine: stub is ready", number)
            os.kill(pids(tmp_path, "engine")[-1], signal.SIGKILL)
        await log.until("engine: stub is ready", 3 * QUICK.give_up_after)
        assert not one.processes["engine"].is_failing
        one.request_stop()
        assert await task == 0
        assert one.restarts == 3 * QUICK.give_up_after - 1

    asyncio.run(main())


def test_a_process_that_crashed_again_and_again_and_is_back_is_up(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        patience = Patience(first_backoff_seconds=0.01, back_seconds=0.0)
        one = session(tmp_path, log, stub(tmp_path, "engine", "crash-thrice"), patience=patience)
        task = await started(one, for_seconds=600)
        await log.until("restarting it", 3)
        assert one.processes["engine"].is_failing
        await log.until("engine: stub is ready")
        assert not one.processes["engine"].is_failing
        one.request_stop()
        assert await task == 0

    asyncio.run(main())


def test_a_process_that_never_gets_ready_is_killed(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        patience = Patience(first_backoff_seconds=0.01, give_up_after=2, ready_seconds=0.2)
        one = session(tmp_path, log, stub(tmp_path, "market", "never-ready"), patience=patience)
        assert await (await started(one)) == 1
        assert "supervisor: market is not ready in time: killing it" in log

    asyncio.run(main())


def test_a_process_deaf_to_every_request_is_killed(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        patience = Patience(stop_seconds=0.2, terminate_seconds=0.2)
        one = session(tmp_path, log, stub(tmp_path, "market", "deaf"), patience=patience)
        task = await started(one)
        await log.until("market: stub is ready")
        one.request_stop()
        assert await task == 0
        assert "supervisor: market does not terminate: killing it" in log
        assert not is_alive(pids(tmp_path, "market")[0])

    asyncio.run(main())


def test_the_second_request_to_stop_kills(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "market", "deaf"), patience=Patience(stop_seconds=600))
        task = await started(one)
        await log.until("market: stub is ready")
        one.request_stop()
        await asyncio.sleep(0)
        one.request_stop()
        assert await task == 0

    asyncio.run(main())


def test_output_is_read_to_its_last_byte_and_long_lines_are_cut(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(tmp_path, log, stub(tmp_path, "engine", "long-line", "unended"))
        assert await (await started(one)) == 1
        assert "engine: last words" in log
        assert max(map(len, log)) < 20_000

    asyncio.run(main())


@pytest.mark.parametrize("loop", ["loop", "uvloop"])
@pytest.mark.parametrize("request_by", ["stdin", "SIGTERM", "SIGINT"])
def test_a_child_ends_in_order_however_it_is_asked(tmp_path: Path, loop: str, request_by: str) -> None:
    if loop == "uvloop" and sys.platform == "win32":
        pytest.skip("there is no uvloop on Windows")
    child = subprocess.Popen(
        [sys.executable, str(HERE / "supervised_stub.py"), str(tmp_path), loop],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    while "loop is up" not in child.stdout.readline():
        pass
    if request_by == "stdin":
        child.stdin.close()
    else:
        child.send_signal(getattr(signal, request_by))
    assert child.stdout.read() == "stopped in order\n"
    assert child.wait(20) == 0
    child.stdin.close()
    child.stdout.close()


def test_a_child_that_hangs_while_it_stops_is_ended_by_itself(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, str(HERE / "supervised_stub.py"), str(tmp_path), "loop", "hang"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert child.returncode == 70


def start_supervisor(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, str(HERE / "supervised_run.py"), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    up = 0
    while up < 3:
        line = process.stdout.readline()
        assert line, "the supervisor ended early"
        up += "loop is up" in line
    return process


def all_children(folder: Path) -> list[int]:
    return [pid for name in ("one", "two", "three") for pid in pids(folder, name)]


def wait_until_gone(children: list[int], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while any(map(is_alive, children)):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in children if is_alive(pid)]}"
        select.select([], [], [], 0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL and os.kill(pid, 0) as POSIX means them")
def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    supervisor = start_supervisor(tmp_path)
    children = all_children(tmp_path)
    assert all(map(is_alive, children))
    supervisor.kill()
    supervisor.wait()
    wait_until_gone(children)
    assert supervisor.stdout is not None
    supervisor.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_to_the_supervisor_stops_all_in_order(tmp_path: Path, name: str) -> None:
    supervisor = start_supervisor(tmp_path)
    children = all_children(tmp_path)
    supervisor.send_signal(getattr(signal, name))
    output, _ = supervisor.communicate(timeout=30)
    assert supervisor.returncode == 0
    stopped = [line for line in output.splitlines() if "stopped in order" in line]
    assert stopped == [f"[{child}] stopped in order" for child in ("three", "two", "one")]
    wait_until_gone(children)


def test_a_supervisor_whose_reader_has_gone_goes_on(tmp_path: Path) -> None:
    supervisor = start_supervisor(tmp_path)
    assert supervisor.stdout is not None
    supervisor.stdout.close()
    first = pids(tmp_path, "one")[0]
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while len(pids(tmp_path, "one")) < 2:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.02)
    supervisor.terminate()
    assert supervisor.wait(30) == 0


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only POSIX can stop a process from outside")
def test_a_process_that_hangs_is_started_again(tmp_path: Path) -> None:
    async def main() -> None:
        log = Lines()
        one = session(
            tmp_path,
            log,
            stub(tmp_path, "gateway", "loop", ready="loop is up"),
            stub(tmp_path, "engine", "loop", ready="loop is up"),
            patience=replace(QUICK, silent_seconds=3.0),
        )
        task = await started(one)
        await log.until("loop is up", 2)
        async with asyncio.timeout(30):
            while not all(other.beats for other in one.processes.values()):  # noqa: ASYNC110  # a beat is no line
                await asyncio.sleep(0.05)
        (hanging,) = pids(tmp_path, "engine")
        os.kill(hanging, signal.SIGSTOP)
        await log.until("engine: loop is up", 2)
        assert "supervisor: engine has not answered for 3 s: killing it" in log
        assert "supervisor: engine was ended by signal 9, restarting it in 0.01 s" in log
        assert not is_alive(hanging)
        assert not any("\x06" in line for line in log)
        one.request_stop()
        assert await task == 0
        assert [process.restarts for process in one.processes.values()] == [0, 1]

    asyncio.run(main())
