"""Drops old journal segments and kills itself before a chosen change of a file.

Usage: journal_dropper.py FOLDER LAST KILL_AT; prints how many changes there were when it was not killed.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.tables.retention import drop_up_to

CHANGES = {"os.rename", "os.remove", "os.truncate"}


def main() -> None:
    folder, last, kill_at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    changes = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        is_writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if (event in CHANGES or is_writing) and str(folder) in str(arguments[0]):
            changes += 1
            if changes == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    drop_up_to(folder, last)
    print(changes)


if __name__ == "__main__":
    main()
