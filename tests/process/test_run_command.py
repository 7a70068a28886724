"""`run.py`: makes its environment once, hands over, refuses in one sentence."""

import base64
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from runtime.control.status import EngineStatus, StrategyStatus
from runtime.process.files import FileLock
from runtime.settings import ENVIRONMENTS, load_settings
from runtime.supervisor import arguments as words
from runtime.supervisor.closing import closing_line, left_open
from runtime.supervisor.command import main, report_missing_process
from runtime.supervisor.precheck import CHECKING, refusal
from runtime.supervisor.specs import ProcessSpec, known_ports, process_specs

ROOT = Path(__file__).resolve().parents[2]
COMMAND = """
import sys
import tinypart
def main(argv):
    print("inside", tinypart.VERSION, sys.prefix, *argv)
    return 7
"""


def make_wheel(folder: Path, version: str) -> str:
    """A package of one line; returns its hash."""
    path = folder / f"tinypart-{version}-py3-none-any.whl"
    info = f"tinypart-{version}.dist-info"
    files = {
        "tinypart.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tinypart\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Checkout:
    """A checkout with a lock of one package, and a supervisor that says what it got."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        (self.root / "locks").mkdir(parents=True)
        for package in ("runtime", "runtime/control", "runtime/process", "runtime/supervisor"):
            (self.root / package).mkdir()
            (self.root / package / "__init__.py").touch()
        (self.root / "runtime" / "supervisor" / "command.py").write_text(COMMAND)
        shutil.copy(ROOT / "run.py", self.root)
        for name in (
            "command_line.py",
            "suggestions.py",
            "supervisor/arguments.py",
            "control/commands.py",
            "process/files.py",
            "process/posix.py",
        ):
            shutil.copy(ROOT / "runtime" / name, self.root / "runtime" / name)

    def lock(self, version: str, sha256: str) -> None:
        text = f"tinypart=={version} \\\n    --hash=sha256:{sha256}\n"
        (self.root / "locks" / "base.txt").write_text(text)

    def start(self, *arguments: str, python: Sequence[str] = (), wheels: str = "") -> "subprocess.Popen[str]":
        environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels or str(self.wheels)}
        environment.pop("NEXTBAR_INSIDE_VENV", None)
        return subprocess.Popen(
            [sys.executable, *python, str(self.root / "run.py"), *arguments],
            cwd=self.wheels,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, python: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments, python=python) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_the_first_run_installs_what_the_lock_says_and_later_runs_do_not(tmp_path: Path) -> None:
    """The first run's Python leaves the folder of the script out of its path."""
    checkout = Checkout(tmp_path)
    checkout.lock("1.0", make_wheel(checkout.wheels, "1.0"))
    first = checkout.run("demo", "--for", "5", python=["-I"])
    assert first.returncode == 7, first.stderr
    assert "[1/1] tinypart-1.0-py3-none-any.whl" in first.stdout
    assert f"inside 1.0 {checkout.root / '.venv'} demo --for 5" in first.stdout
    second = checkout.run("paper")
    assert second.stdout == f"inside 1.0 {checkout.root / '.venv'} paper\n"

    checkout.lock("1.1", make_wheel(checkout.wheels, "1.1"))
    newer = checkout.run().stdout
    assert "inside 1.1" in newer
    assert "Making" not in newer

    checkout.lock("1.2", "0" * 64)
    make_wheel(checkout.wheels, "1.2")
    wrong = checkout.run()
    assert wrong.returncode == 2
    assert "base.txt" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert "inside" not in wrong.stdout

    (checkout.root / "locks" / "base.txt").write_text(f"otherpart==1 --hash=sha256:{'0' * 64}\n")
    unreachable = checkout.run()
    assert unreachable.returncode == 2
    assert "check the network" in unreachable.stderr.splitlines()[-1]


def test_two_terminals_make_one_environment(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.lock("1.0", make_wheel(checkout.wheels, "1.0"))
    first, second = checkout.start("gateway"), checkout.start("engine")
    said = []
    for process in (first, second):
        with process:
            said.append(process.communicate(timeout=120)[0])
        assert process.returncode == 7
    assert sum("Installing 1 locked" in text for text in said) == 1
    assert sum("Another run.py is at work" in text for text in said) <= 1
    assert all("inside 1.0" in text for text in said)


@contextlib.contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """Processes begun here do so even where these tests were started behind a shell's `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="sends the signal of Ctrl+C")
def test_an_install_that_was_broken_off_begins_anew(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.lock("1.0", make_wheel(checkout.wheels, "1.0"))
    with socket.create_server(("127.0.0.1", 0)) as index:
        silent = f"http://127.0.0.1:{index.getsockname()[1]}/"
        with heeding_ctrl_c(), checkout.start(wheels=silent) as process:
            asked, _ = index.accept()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
            asked.close()
    assert process.returncode == 130
    assert said == "stopped by Ctrl+C\n"
    again = checkout.run()
    assert "Making" in again.stdout
    assert "inside 1.0" in again.stdout
    assert checkout.run().stdout.startswith("inside 1.0")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("papr",), "there is no environment 'papr' (did you mean paper?)"),
        (("tset",), "did you mean test?"),
        (("demo", "--frehs"), "there is no option --frehs (did you mean --fresh?)"),
        (("demo", "--for", "abc"), "'abc' is not a number of seconds above 0"),
        (("demo", "extra"), "the second word of the command line is a symbol"),
        (("simulator", "live"), "live has no simulator"),
        (("status",), "did you mean python -m engine.ctl?"),
        (("backtest",), "did you mean python -m engine.backtest?"),
    ],
)
def test_a_mistyped_command_line_is_refused_before_an_install(
    tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    checkout = Checkout(tmp_path)
    done = checkout.run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (checkout.root / ".venv").exists()


def test_the_words_of_the_command_line_are_those_of_the_settings(home: Path) -> None:
    assert words.ENVIRONMENTS == ENVIRONMENTS
    settings = load_settings("demo")
    specs = process_specs(settings, known_ports(settings), symbol=None, accept_real_orders=False)
    assert tuple(spec.name for spec in specs) == words.PROCESSES


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out in ("", f"[supervisor] {CHECKING}\n")
    assert said.err.count("\n") == 1
    return said.err


def test_a_wrong_configuration_starts_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "demo, paper, testnet, live" in refused(capsys, "production")
    live = refused(capsys, "live")
    assert "i_trade_real_money" in live
    assert "--i-accept-real-orders" in live
    (home / "configs" / "demo.toml").write_text("[risk]\n")
    assert "demo.toml" in refused(capsys, "demo")
    assert "demo.toml" in refused(capsys, "engine", "demo")


@pytest.mark.parametrize(
    ("given", "wrong", "says"),
    [
        (
            'name = "sma_crossover_inflection"',
            'name = "sma_cross"',
            "strategies[0].name: there is no strategy",
        ),
        ("short = 2,", 'short = "two",', "strategies[0].params.short: "),
        ("short = 2,", "shrot = 2,", "strategies[0].params.shrot: "),
        ("short = 2,", "short = 0,", "strategies[0].params.short: "),
        ('symbols = ["BTCUSDT"]', 'symbols = ["NOSUCHUSDT"]', "symbols[0]: the simulator has no NOSUCHUSDT"),
    ],
)
def test_what_the_engine_or_the_simulator_would_refuse_starts_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], given: str, wrong: str, says: str
) -> None:
    path = home / "configs" / "demo.toml"
    path.write_text(path.read_text().replace(given, wrong))
    said = refused(capsys, "demo", "--for", "1")
    assert said.startswith(f"{path}: {says}")
    assert "allowed: " in said or "should be" in said
    assert not (home / "data" / "demo" / "simulator").exists()


@pytest.mark.parametrize(
    ("section", "key"), [("[wire]", "port"), ("[simulator]", "port"), ("[engine]", "control_port")]
)
def test_a_fixed_port_that_is_taken_starts_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], section: str, key: str
) -> None:
    path = home / "configs" / "demo.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = path.read_text()
        if section not in text:
            text += f"\n{section}\n"
        path.write_text(text.replace(section, f"{section}\n{key} = {port}"))
        said = refused(capsys, "demo", "--for", "1")
    assert said.startswith(f"{path}: {section[1:-1]}.{key} is {port}, which is in use")
    assert not (home / "data" / "demo" / "simulator").exists()


def test_two_fixed_ports_are_two(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (home / "configs" / "demo.toml").open("a") as config:
        config.write("\n[wire]\nport = 29999\n[engine]\ncontrol_port = 29999\n")
    assert "wire.port and engine.control_port are both 29999" in refused(capsys, "demo")


def test_a_symbol_of_the_command_line_is_not_blamed_on_the_file(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "demo", "NOSUCHUSDT").startswith("the command line: the simulator has no NOSUCH")


def test_a_process_alone_says_whom_it_waits_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ports = known_ports(load_settings("demo"))
    report_missing_process("gateway", "demo", ports)
    assert "python run.py simulator demo" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", ports["simulator"])):
        report_missing_process("gateway", "demo", ports)
        report_missing_process("simulator", "demo", ports)
    assert capsys.readouterr().err == ""


BROKEN_MEANWHILE = """
import sys
from pathlib import Path
from runtime.control.status import EngineStatus, PositionStatus, write_status
status, seen = Path(sys.argv[1]), Path(sys.argv[2])
if seen.exists():
    sys.exit(2)
seen.touch()
position = PositionStatus("BTCUSDT", "0.007", "64000", None, None)
write_status(status, EngineStatus(time_ns=1, positions=(position,)))
print("is ready", flush=True)
sys.exit(1)
"""


def test_a_run_ended_by_a_file_broken_meanwhile_says_what_stays_open(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings("demo")
    settings.summary_path.parent.mkdir(parents=True)
    words = (sys.executable, "-c", BROKEN_MEANWHILE, str(settings.summary_path), str(home / "seen"))
    engine = ProcessSpec("engine", words, ready_line="is ready", environment={"PYTHONPATH": str(ROOT)})
    monkeypatch.setattr("runtime.supervisor.command.refusal", lambda *_, **__: "")
    monkeypatch.setattr("runtime.supervisor.command.process_specs", lambda *_, **__: [engine])
    assert main(["demo"]) == 2
    said = capsys.readouterr().out
    assert "engine cannot work with its configuration" in said
    assert "position BTCUSDT 0.007 stays open at the exchange and is kept for the next run" in said


def test_the_end_of_a_run_says_what_stays_open(home: Path) -> None:
    counts = dict.fromkeys(("candles", "signals", "rejects", "restarts"), 0) | {"orders": 1, "fills": 2}
    numbers = counts | {"seconds": 9.7, "wallet_balance": 9999.45, "positions": {"BTCUSDT": 0.007}}
    line = closing_line("demo", numbers)
    assert "0 candles" in line
    assert "1 order, 2 fills" in line
    assert "wallet 9999.45" in line
    settings = load_settings("demo")
    position, killed = left_open(settings, EngineStatus(paused=True, killed=True), numbers)
    assert position == "position BTCUSDT 0.007 stays open at the exchange and is kept for the next run"
    assert "killed" in killed
    undo = "; to undo it, after the next start: python -m engine.ctl --env demo resume"
    assert killed.endswith(undo)
    (paused,) = left_open(
        settings, EngineStatus(paused_strategies=("a:s1 on X",)), numbers | {"positions": {}}
    )
    assert paused == f"paused, in the next run too: a:s1 on X{undo}"
    assert left_open(settings, EngineStatus(), numbers | {"positions": {}}) == []
    assert "paused" in left_open(settings, EngineStatus(paused=True), numbers | {"positions": {}})[0]
    said = left_open(settings, EngineStatus(unanswered="BTCUSDT: no book"), numbers | {"positions": {}})
    assert said == ["at the end the exchange did not answer: BTCUSDT: no book"]


def test_the_end_of_a_run_names_a_strategy_that_is_still_warming_up(home: Path) -> None:
    cold = StrategyStatus("two_frames:s1", "BTCUSDT", "1s", "warming up 146/148 bars")
    warm = StrategyStatus("rsi:s2", "ETHUSDT", "1s", "running")
    said = left_open(load_settings("demo"), EngineStatus(strategies=(warm, cold)), {"positions": {}})
    assert said == ["two_frames:s1 on BTCUSDT is still warming up 146/148 bars: it enters only after that"]


def test_strategies_that_were_found_good_are_not_asked_about_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings("demo")
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    said: list[str] = []

    def look() -> str:
        return refusal(settings, symbol=None, accept_real_orders=False, say=said.append)

    assert look() == ""
    assert said == [CHECKING]
    monkeypatch.setattr("sys.executable", str(home / "no python"))
    assert look() == ""
    assert said == [CHECKING], "a later start says nothing, and does nothing"
    with (home / "configs" / "demo.toml").open("a") as config:
        config.write("# another configuration\n")
    with pytest.raises(FileNotFoundError):
        look()


def test_one_environment_runs_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = FileLock(home / "data" / "demo" / "supervisor.lock")
    assert held.acquire()
    assert "already running" in refused(capsys, "demo")
    held.release()


def test_a_folder_that_cannot_be_written_is_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "data").write_text("a file where a folder should be")
    assert str(home / "data" / "demo") in refused(capsys, "demo")
    ports = {f"NEXTBAR_{name}_PORT": "21000" for name in ("SIMULATOR", "WIRE", "CONTROL")}
    with pytest.MonkeyPatch.context() as patch:
        for name, port in ports.items():
            patch.setenv(name, port)
        assert str(home / "data" / "demo") in refused(capsys, "demo")


def test_a_summary_that_could_not_be_written_is_refused_before_anything_runs(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no folder" in refused(capsys, "demo", "--summary", str(home / "nowhere" / "s.json"))
    assert "that is a folder" in refused(capsys, "demo", "--summary", str(home))
    assert "that is a folder" in refused(capsys, "demo", "--summary", ".")


def test_a_missing_key_file_is_said_once_and_no_engine_starts(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "testnet"],
        cwd=home,
        env={**os.environ, "NEXTBAR_HOME": str(home), "NEXTBAR_INSIDE_VENV": str(ROOT / ".venv")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    checking, key_file, verdict = done.stdout.splitlines()
    assert checking == f"[supervisor] {CHECKING}"
    assert str(home / "vault" / "binance_testnet_keys") in key_file
    assert verdict == "[supervisor] gateway cannot work with its configuration"


def test_fresh_does_not_forget_real_orders(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = home / "data" / "testnet" / "engine" / "journal"
    journal.mkdir(parents=True)
    assert "--fresh" in refused(capsys, "testnet", "--fresh")
    assert journal.exists()


def test_a_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from runtime.process.files import FileLock\n"
        f"lock = FileLock(Path({str(tmp_path / 'lock')!r}))\n"
        "print(lock.acquire(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline().strip() == b"True"
    lock = FileLock(tmp_path / "lock")
    assert not lock.acquire()
    holder.kill()
    holder.wait()
    assert lock.acquire()
    lock.release()
    holder.stdin.close()
    holder.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="sends SIGTERM")
def test_one_process_runs_alone_on_the_remembered_port(home: Path) -> None:
    environment = {**os.environ, "NEXTBAR_HOME": str(home), "NEXTBAR_INSIDE_VENV": str(ROOT / ".venv")}
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "simulator", "demo"],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = load_settings("demo").simulator.port
    for line in process.stdout:
        if f"listening on http://127.0.0.1:{port}" in line:
            break
    process.terminate()
    process.stdout.read()
    assert process.wait(30) == 0
    process.stdout.close()
