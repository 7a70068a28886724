"""On a terminal the reason of an end stays readable when the live view has closed."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VIEW_CLOSED = "\x1b[?1049l"
ROWS, COLUMNS = 12, 60


def on_a_terminal(home: Path, *arguments: str) -> tuple[int, str]:
    """The command's exit code and everything it wrote on a small terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        cwd=home,
        env={
            **environment,
            "NEXTBAR_HOME": str(home),
            "NEXTBAR_INSIDE_VENV": str(ROOT / ".venv"),
            "TERM": "xterm",
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while data := os.read(ours, 65_536):
            shown += data
    os.close(ours)
    return process.wait(60), shown.decode("utf-8", "replace")


def test_the_sentence_of_a_refusal_stands_whole_below_the_view(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    code, shown = on_a_terminal(tmp_path, "testnet")
    assert code == 2
    _, _, left = shown.partition(VIEW_CLOSED)
    below = left.rpartition("\u256f")[2].splitlines()  # the panel's last corner
    refusals = [line for line in below if str(tmp_path / "vault" / "binance_testnet_keys") in line]
    assert len(refusals) == 1
    assert refusals[0].startswith("[gateway] ")
    assert below[-1] == "[supervisor] gateway cannot work with its configuration"
