"""What somebody new does in an empty environment: install, init, a strategy, a backtest, the demo.

    python tests/long/clean_machine.py [--packages-of PYTHON] [--seconds 60]

Prints what each step took. Environment and folder have a space and an umlaut in their paths. The packages
that nextbar needs come from the package index, 900 MB, or by --packages-of from another environment.
Exit code 1 when a step fails, when the demo trades nothing, or when something is written into the environment
after the install.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

OURS = ("NEXTBAR_", "NUMBA_")
ROOT = Path(__file__).resolve().parents[2]
STRATEGY = """
[[strategies]]
name = "strategies/breakaway.py:Breakaway"
symbols = ["BTCUSDT"]
timeframe = "1s"
params = { length = 2, band_percent = 0.0005 }
sizing = { kind = "cash", value = 200 }
unprotected = true
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Try an install from the beginning.")
    parser.add_argument("--packages-of", metavar="PYTHON")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextbar Käufer ") as folder:
        machine = Machine(Path(folder))
        machine.install(arguments.packages_of)
        return machine.use(arguments.seconds)


class Machine:
    """An environment and a folder of the user's, both empty at first."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.environment = folder, folder / "meine Umgebung ü"
        venv.create(self.environment, with_pip=True)
        self.programs = self.environment / ("Scripts" if os.name == "nt" else "bin")
        self.variables = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("NEXTBAR_", "NUMBA_"))
            },
            "XDG_CACHE_HOME": str(folder / "cache"),
            "LOCALAPPDATA": str(folder / "cache"),
        }

    def install(self, packages_of: str | None) -> None:
        """Install nextbar, and what it needs unless that is taken from another Python."""
        if packages_of is not None:
            ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
            theirs = subprocess.run(
                [packages_of, "-c", ask], capture_output=True, text=True, check=True
            ).stdout
            mine = self.said("python", "-c", ask).strip()
            (Path(mine) / "packages.pth").write_text(theirs, "utf-8")
        no_more = [] if packages_of is None else ["--no-deps"]
        self.timed("install", "python", "-m", "pip", "install", "-q", *no_more, str(ROOT))

    def use(self, seconds: int) -> int:
        """Do the rest; returns the exit code."""
        before = self.installed()
        self.timed("init", "nextbar", "init", "mein Ordner ü")
        home = self.folder / "mein Ordner ü"
        self.timed("new", "nextbar", "new", "breakaway", cwd=home)
        backtest = ("--strategy", "breakaway", "--data", "sample-1h")
        self.timed("first backtest", "nextbar", "backtest", *backtest, cwd=home)
        (home / "configs" / "demo.local.toml").write_text(STRATEGY, "utf-8")
        summary = home / "data" / "summary.json"
        limits = ("--plain", "--for", str(seconds), "--summary", str(summary))
        self.timed("demo", "nextbar", "run", "demo", *limits, cwd=home)
        fills = json.loads(summary.read_text("utf-8"))["fills"]
        written = sorted(map(str, self.installed() - before))
        sys.stdout.write(f"{fills} fills; written into the environment: {', '.join(written) or 'nothing'}\n")
        return 0 if fills and not written else 1

    def installed(self) -> set[Path]:
        """Files of the environment, without Python's own byte code."""
        return {path for path in self.environment.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    def timed(self, step: str, *command: str, cwd: Path | None = None) -> None:
        """Run a command; print the time it took."""
        begun = time.perf_counter()
        self.said(*command, cwd=cwd)
        sys.stdout.write(f"{step}: {time.perf_counter() - begun:.1f} s\n")
        sys.stdout.flush()

    def said(self, program: str, *words: str, cwd: Path | None = None) -> str:
        """What a program of the environment prints; ends this one when it fails."""
        done = subprocess.run(
            [str(self.programs / program), *words],
            cwd=cwd or self.folder, env=self.variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{program} {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


if __name__ == "__main__":
    sys.exit(main())
