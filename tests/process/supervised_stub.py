"""A small process with manners of every kind, for the supervisor's tests.

Usage: supervised_stub.py PID_FOLDER MANNER... ; each start leaves a file named by its pid.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main() -> int:
    folder, manners = Path(sys.argv[1]), set(sys.argv[2:])
    if "deaf" in manners:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / str(os.getpid())).touch()
    starts = len(list(folder.iterdir()))
    print("was up" if "NEXTBAR_WAS_UP" in os.environ else "was never up", flush=True)
    if "crash" in manners:
        print("about to crash")
        return 3
    if "misconfigured" in manners:
        print("configs/x.toml: something is wrong")
        return 2
    if starts <= 2 * ("crash-twice" in manners) + 3 * ("crash-thrice" in manners):
        return 3
    if "never-ready" not in manners:
        print("stub is ready", flush=True)
    if "long-line" in manners:
        print("x" * 200_000, flush=True)
    if "unended" in manners:
        print("last words", end="", flush=True)
        return 4
    if "deaf" in manners:
        while True:
            time.sleep(60)
    if "loop" in manners or "uvloop" in manners:
        return in_a_loop(manners)
    while os.read(0, 1):
        pass
    print("stopped in order", flush=True)
    return 0


def in_a_loop(manners: set[str]) -> int:
    import asyncio

    from runtime.process import child

    child.FORCE_AFTER_SECONDS = 0.5

    async def work() -> None:
        stop = asyncio.Event()
        child.stop_on_request(stop.set, exit_with_stdin="no-stdin" not in manners)
        print("loop is up", flush=True)
        await stop.wait()
        if "hang" in manners:
            threading.Event().wait()
        print("stopped in order", flush=True)

    factory = None
    if "uvloop" in manners:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work())
    return 0


if __name__ == "__main__":
    sys.exit(main())
