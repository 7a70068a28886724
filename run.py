#!/usr/bin/env python3
"""Start nextbar: `python run.py [demo|paper|testnet|live]`, or `python run.py test`.

Needs only Python and pip. The first run makes `.venv` beside this file from the hashed lists in locks/;
every run then goes on inside it, in `runtime.supervisor.command` or here for `test`.
"""

# An old Python must get as far as the sentence that it is too old.
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
INSIDE_VARIABLE = "NEXTBAR_INSIDE_VENV"
NO_INDEX = ("after connection broken by", "(from versions: none)")
"""What pip says when its package index does not answer, or has not even heard of a package."""
UNREACHABLE = (
    "its package index does not answer or lacks a package; "
    "check the network, or name a mirror in PIP_INDEX_URL or a folder of wheels in PIP_FIND_LINKS"
)
FULL_DISK = "No space left on device"
NO_ROOM = "the disk is full; the environment takes 900 MB"
UNPACKING_SECONDS = 5.0
WAIT_SECONDS = 0.5
SAID = "the lines above say why"
PRODUCT = ("run.py", "runtime", "gateways", "engine", "model_integration", "nextbar")
WORKERS = min((os.cpu_count() or 1) + 1, 5)
"""One more than there are processors: a test of other processes mostly waits for them."""
SEVERAL_AT_ONCE = ("-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")
"""Tests of one file share servers, so a file stays in one process; the short files come last."""
PICKS_TESTS = ("-k", "-m", "--ignore", "--deselect")
"""Options of pytest whose value may look like a file."""
AS_ON_WINDOWS = ("--platform", "win32", "--cache-dir", ".mypy_cache/win32", *PRODUCT)
BEFORE_TESTS = {
    "compiled functions": ["nextbar", "compile"],
    "mypy": ["mypy"],
    "mypy, as on Windows": ["mypy", *AS_ON_WINDOWS],
}
"""Two at a time, the longest first. A function compiled here is not compiled again by each test process."""


def main(argv: list[str]) -> int:
    """Make the environment where it is missing, then go on inside it."""
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        oldest, newest = (".".join(map(str, one)) for one in (OLDEST_PYTHON, NEWEST_PYTHON))
        sys.stderr.write(f"nextbar needs Python {oldest} to {newest}, this is {sys.version.split()[0]}\n")
        return 2
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))  # python -P and -I leave it out
    testing = argv[:1] == ["test"]
    mistake = "" if testing else mistake_in(argv)
    if mistake:
        sys.stderr.write(mistake + "\n")
        return 2
    if os.environ.get(INSIDE_VARIABLE) != str(VENV):
        failure = prepare("base", *(("test",) if testing else ()))
        if failure:
            sys.stderr.write(failure + "\n")
            return 2
        return continue_inside(argv)
    del os.environ[INSIDE_VARIABLE]
    if testing:
        return run_checks(argv[1:])
    os.environ.setdefault("NEXTBAR_HOME", str(ROOT))  # whatever folder of the user's one stands in
    # Only here are the packages there that the supervisor needs.
    from runtime.supervisor.command import main as run_environment  # noqa: PLC0415

    return run_environment(argv)


def mistake_in(argv: list[str]) -> str:
    """What is wrong with the command line, said before an install; those modules need only Python."""
    from runtime.command_line import CommandLineError  # noqa: PLC0415
    from runtime.supervisor.arguments import parse_arguments  # noqa: PLC0415

    try:
        parse_arguments(argv)
    except CommandLineError as error:
        return str(error)
    return ""


def venv_python() -> Path:
    """The interpreter inside `.venv`."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def continue_inside(argv: list[str]) -> int:
    """Run this file again with the environment's interpreter."""
    command = [str(venv_python()), str(Path(__file__).resolve()), *argv]
    environment = {**os.environ, INSIDE_VARIABLE: str(VENV)}
    if os.name != "nt":
        sys.stdout.flush()
        os.execve(command[0], command, environment)  # noqa: S606  # ourselves
    # Windows has no exec that keeps the console: wait for the child, which gets Ctrl+C itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603  # ourselves


def prepare(*locks: str) -> str:
    """Install what has not been installed yet; returns what went wrong, as one sentence."""
    if all(map(is_installed, locks)):
        return ""
    try:
        with one_at_a_time():
            missing = [lock for lock in locks if not is_installed(lock)]
            failure = "" if is_usable() or not missing else make_venv()
            for lock in missing:
                failure = failure or install(lock)
            if missing and not failure and "test" not in locks:  # the checks compile on their own
                compile_ahead()
            return failure
    except OSError as error:
        return f"{error.filename or VENV} cannot be written: {error.strerror}"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Several terminals may be started at once; the second one waits and finds everything there."""
    from runtime.process.files import FileLock  # noqa: PLC0415  # that module needs only Python

    lock = FileLock(ROOT / ".venv.lock")
    if not lock.acquire():
        say(f"Another run.py is at work on {VENV}; waiting for it ...")
        while not lock.acquire():
            threading.Event().wait(WAIT_SECONDS)
    try:
        yield
    finally:
        lock.release()


def is_installed(lock: str) -> bool:
    """Whether `.venv` holds exactly what the lock file says today."""
    try:
        stamp = stamp_path(lock).read_text("ascii")
        return stamp == digest(lock) and venv_python().exists() and not lost_its_python()
    except OSError:
        return False


def lost_its_python() -> bool:
    """Whether the Python that `.venv` was made with has gone; on Windows its launcher stays behind."""
    try:
        text = (VENV / "pyvenv.cfg").read_text("utf-8", "replace")
    except FileNotFoundError:
        return True
    home = re.search(r"^home *= *(.+?)\s*$", text, re.MULTILINE)
    return home is None or not Path(home[1]).is_dir()


def unfinished_mark() -> Path:
    """There while pip is at work, and after it was ended in the middle: what it left cannot be trusted."""
    return VENV / "nextbar-unfinished"


def stamp_path(lock: str) -> Path:
    """Written after an install has ended well."""
    return VENV / f"nextbar-{lock}.sha256"


def lock_path(lock: str) -> Path:
    """Versions and hashes."""
    return ROOT / "locks" / f"{lock}.txt"


def digest(lock: str) -> str:
    """Of the lock file's content, whatever its line ends."""
    return hashlib.sha256(lock_path(lock).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def is_usable() -> bool:
    """Whether `.venv` has a working interpreter with pip, and no install was broken off in it."""
    if unfinished_mark().exists() or lost_its_python():
        return False
    command = [str(venv_python()), "-m", "pip", "--version"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  # our own interpreter
    except OSError:
        return False
    return done.returncode == 0


def make_venv() -> str:
    """A new, empty `.venv`."""
    say(f"Making {VENV} ...")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ourselves
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        return f"{VENV} cannot be made: {said or 'python -m venv was ended'}"
    return ""


def install(lock: str) -> str:
    """Everything a lock names, checked against its hashes, with progress."""
    total = sum("==" in line for line in lock_path(lock).read_text("utf-8").splitlines())
    unfinished_mark().touch()
    say(f"Installing {total} locked packages ({lock}); this happens once.")
    command = [str(venv_python()), "-m", "pip", "install", "--require-hashes", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["-r", str(lock_path(lock))]
    last_lines: deque[str] = deque(maxlen=15)
    with subprocess.Popen(  # noqa: S603  # our own interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        try:
            tell_progress(pip.stdout or (), total, last_lines)
        except BaseException:  # Ctrl+C above all: pip must not go on behind the next run's back
            pip.kill()
            pip.wait()
            raise
    if pip.returncode:
        return "\n".join([*last_lines, f"pip could not install {lock_path(lock)}: {reason(last_lines)}"])
    stamp_path(lock).write_text(digest(lock), "ascii")
    unfinished_mark().unlink()
    return ""


def compile_ahead() -> None:
    """Compile now, on all cores: later runs only load it. What fails here is compiled when it is needed."""
    subprocess.run([str(venv_python()), "-m", "nextbar", "compile"], cwd=ROOT, check=False)  # noqa: S603


def tell_progress(lines: Iterable[str], total: int, last_lines: deque[str]) -> None:
    """A line for each package that pip speaks of, until its output ends."""
    seen = 0
    unpacked = threading.Event()
    try:
        for line in lines:
            last_lines.append(line.rstrip())
            name = package_in(line)
            if name:
                seen += 1
                say(f"  [{seen}/{total}] {name}")
            elif line.startswith("Installing collected packages:"):
                many = line.count(",") + 1
                say(f"  unpacking {many} ...")
                threading.Thread(target=tell_unpacking, args=(many, unpacked), daemon=True).start()
    finally:
        unpacked.set()


def reason(last_lines: Iterable[str]) -> str:
    """Why pip failed, in words where it is one of the usual things."""
    text = "\n".join(last_lines)
    if FULL_DISK in text:
        return NO_ROOM
    return UNREACHABLE if any(sign in text for sign in NO_INDEX) else SAID


def package_in(line: str) -> str:
    """The package that a line of pip's output begins with; "" where it begins with none."""
    word, _, rest = line.strip().partition(" ")
    if word == "Requirement":
        return rest.removeprefix("already satisfied: ").split(" in ")[0].split(" (from ")[0] + " (is there)"
    if word == "Ignoring":
        return rest.partition(":")[0] + " (not for this system)"
    if word == "Processing":
        return re.split(r"[/\\]", rest.split(" (from ")[0])[-1]
    return rest.split(" (from ")[0] if word == "Collecting" else ""


def tell_unpacking(many: int, ended: threading.Event) -> None:
    """Pip says nothing while it unpacks, which takes the longest."""
    before = installed_count()
    while not ended.wait(UNPACKING_SECONDS):
        say(f"  unpacked {min(installed_count() - before, many)} of {many} ...")


def installed_count() -> int:
    """Packages inside `.venv`."""
    folder = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    return sum(1 for _ in VENV.glob(f"{folder}/*.dist-info"))


def say(text: str) -> None:
    """A line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_checks(pytest_arguments: list[str]) -> int:
    """Format, lint, types, tests; all of them, whatever fails. 0 when all are well.

    With files among the arguments only those are looked at: tests are linted and run, sources are linted,
    type-checked, and tested by what mirrors them in tests/.
    """
    files = named_files(pytest_arguments)
    gone = next((one for one in files if not (ROOT / one).exists()), "")
    if gone:
        sys.stderr.write(f"there is no file {gone}{similar_file(gone)}; nothing was checked\n")
        return 2
    sources = [one for one in files if not is_test(one)]
    tests = [test for one in sources for test in mirrors(one)]
    arguments = [one for one in pytest_arguments if one.partition("::")[0] not in sources] + tests
    checks = {"ruff format": ["ruff", "format", "--check", *(files or ["."])]}
    checks["ruff check"] = ["ruff", "check", *(files or ["."])]
    if sources:
        checks["mypy"] = ["mypy", *sources]
    failed = run_in_turn(checks)
    failed += [] if files else run_two_at_a_time(BEFORE_TESTS)
    several = () if files else SEVERAL_AT_ONCE
    if not files or tests or len(sources) < len(files):
        failed += run_in_turn({"pytest": ["pytest", *several, *arguments]})
    else:
        say(f"no test mirrors {', '.join(sources)}: format, lint and types are all that is checked")
    say(f"FAILED: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def run_in_turn(checks: Mapping[str, list[str]]) -> list[str]:
    """Run checks one after the other on this terminal; the names of those that failed."""
    failed = []
    for name, arguments in checks.items():
        say(f"== {name}")
        if run_module(arguments).returncode:
            failed.append(name)
    return failed


def run_two_at_a_time(checks: Mapping[str, list[str]]) -> list[str]:
    """Run checks that use one processor each, telling their outputs in order; the names of the failed."""
    failed = []
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(partial(run_module, stdout=subprocess.PIPE), checks.values())
        for name, done in zip(checks, results, strict=True):
            say(f"== {name}")
            sys.stdout.write(done.stdout or "")
            if done.returncode:
                failed.append(name)
    return failed


def run_module(arguments: list[str], stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    """A module of the environment at work in the project; with PIPE, its output and errors are kept."""
    # Processes that tests start, hundreds of them, share the bytecode of what they import.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(  # noqa: S603  # our own tools
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=stdout,
        stderr=None if stdout is None else subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def named_files(pytest_arguments: list[str]) -> list[str]:
    """The files and folders among pytest's arguments, also those that are not there: `FILE.py::test_x` names
    one. What follows an option is its value, unless it is there or is called `.py`."""
    found = []
    for before, word in zip(["", *pytest_arguments], pytest_arguments, strict=False):
        path = word.partition("::")[0]
        is_value = before.startswith("-") and "=" not in before
        is_file = not is_value or (path.endswith(".py") and before not in PICKS_TESTS)
        if path and not word.startswith("-") and (is_file or (ROOT / path).exists()):
            found.append(path)
    return list(dict.fromkeys(found))


def is_test(path: str) -> bool:
    """Whether pytest is to be given that file or folder itself."""
    whole = (ROOT / path).resolve()
    return whole == ROOT or whole.is_relative_to(ROOT / "tests")


def mirrors(source: str) -> list[str]:
    """The tests of a source file, else the folder of tests that mirrors its own."""
    path = (ROOT / source).resolve()
    if not path.is_relative_to(ROOT):
        return []
    folder = path.relative_to(ROOT) if path.is_dir() else path.relative_to(ROOT).parent
    kinds = sorted((ROOT / "tests").iterdir())
    rooms = [kind / folder for kind in kinds if (kind / folder).is_dir()]
    own = [test for room in rooms for test in sorted(room.rglob(f"test_{path.stem}*.py"))]
    found = own if own and not path.is_dir() else rooms if folder.parts else []
    return [test.relative_to(ROOT).as_posix() for test in found]


def similar_file(path: str) -> str:
    """ " (did you mean tests/unit/test_x.py?)"; "" where no file is like it."""
    from runtime.suggestions import did_you_mean  # noqa: PLC0415  # not before Python's version is known

    there = [one for top in (*PRODUCT[1:], "tests") for one in (ROOT / top).rglob("*.py")]
    by_name = {one.name: one.relative_to(ROOT).as_posix() for one in there}
    whole = did_you_mean(path, by_name.values(), likeness=0.8)
    close = by_name.get(Path(path).name)
    return f" (did you mean {close}?)" if close else whole


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("stopped by Ctrl+C\n")
        sys.exit(130)
