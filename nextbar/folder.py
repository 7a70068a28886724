"""`nextbar init`: the user's own folder."""

from collections.abc import Iterator
from pathlib import Path

from runtime.process.interpreter import ROOT
from runtime.settings.environment import MARKER

FOLDERS = ("configs", "vault", "strategies", "data", "notebooks")
_DEFAULTS = Path(__file__).resolve().parent / "defaults"
"""In a wheel, a copy of what the checkout has in configs/ and vault/."""
_MARK = "The user's folder of nextbar: commands work anywhere inside it.\n"
_IGNORED = "/data/\n/vault/*\n!/vault/*.example\n__pycache__/\n*.tmp\n"


class FolderError(Exception):
    """The folder cannot be made; one sentence."""


def make_folder(folder: Path) -> list[str]:
    """Make the folder, or add what it lacks; what is there stays. Returns what was done, in lines."""
    folder = folder.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [path for path, text in _content(folder) if _write(path, text)]
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)
    except OSError as error:
        raise FolderError(f"{error.filename or folder} cannot be made: {error.strerror or error}") from None
    if not written:
        return [f"{folder} has everything already"]
    return [f"{folder}:", *(f"  {path.relative_to(folder).as_posix()}" for path in written)]


def defaults() -> Path:
    """The folder with the configurations and examples that come with nextbar."""
    return _DEFAULTS if _DEFAULTS.is_dir() else ROOT


def _content(folder: Path) -> Iterator[tuple[Path, bytes]]:
    yield folder / MARKER, _MARK.encode()
    yield folder / ".gitignore", _IGNORED.encode()
    for name, pattern in (("configs", "*.toml"), ("vault", "*.example")):
        for source in sorted((defaults() / name).glob(pattern)):
            if not source.name.endswith(".local.toml"):
                yield folder / name / source.name, source.read_bytes()


def _write(path: Path, text: bytes) -> bool:
    """Write the file unless it is there; returns whether it was written."""
    if path.exists():
        return False
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".tmp")
    part.write_bytes(text)
    part.replace(path)
    return True
