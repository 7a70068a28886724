"""A supervisor over three stubs, as a process of its own. Usage: supervised_run.py PID_FOLDER"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from runtime.supervisor.console import Console
from runtime.supervisor.session import Session, stopped_by_signals
from runtime.supervisor.specs import ProcessSpec
from runtime.supervisor.summary import RunSummary


async def main(folder: Path) -> int:
    stub = str(Path(__file__).with_name("supervised_stub.py"))
    specs = []
    for name in ("one", "two", "three"):
        pids = folder / name
        pids.mkdir(exist_ok=True)
        specs.append(ProcessSpec(name, (sys.executable, stub, str(pids), "loop"), ready_line="loop is up"))
    session = Session(specs, Console(folder / "log", quiet=False), RunSummary(folder / "summary.json"))
    async with stopped_by_signals(session):
        return await session.run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
