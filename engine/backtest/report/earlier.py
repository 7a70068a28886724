"""Results of an earlier run in an output folder: known by their own list, and removed by it alone.

`summary.json` lists every file of its run with its SHA-256. A file that is not listed, or that is no longer
what was written, belongs to the user: it is neither overwritten nor removed.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from engine.backtest.data.loaders import DataError

SUMMARY = "summary.json"
_KEY = "files"


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The strategies of the run whose results are in `out`, and its files that are still there."""

    out: Path
    names: tuple[str, ...] = ()
    files: frozenset[str] = field(default_factory=frozenset)

    def remove_all_but(self, kept: Collection[str]) -> None:
        """Remove its files other than `kept`, and folders of its own that are empty then."""
        for name in self.files - set(kept):
            (self.out / name).unlink(missing_ok=True)
        for name in self.files:
            parent = (self.out / name).parent
            if parent != self.out:
                with suppress(OSError):  # something else is in it
                    parent.rmdir()


def write_summary(folder: Path, content: Mapping[str, Any]) -> None:
    """`summary.json` of `folder`, with the list of all files in it; to be written last."""
    text = _text(content)
    files = {
        path.relative_to(folder).as_posix(): _found(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    listed = {**content, _KEY: {**files, SUMMARY: _digest(text.encode())}}
    (folder / SUMMARY).write_text(_text(listed), encoding="utf-8")


def earlier_run(out: Path, wanted: Collection[str]) -> EarlierRun:
    """The run whose results are in `out` and may be replaced by files called `wanted`.

    `DataError` where a file in the way was not written by it, or was changed since.
    """
    names, listed = _listed(out / SUMMARY)
    for name in sorted({*wanted, *listed}):
        path = out / name
        if path.is_symlink() or path.parent.is_symlink():
            raise _in_the_way(out, path, "is a link")
        if not path.exists():
            continue
        if name not in listed:
            raise _in_the_way(out, path, "already exists and was not written by an earlier run")
        if not path.is_file() or _found(path) != listed[name]:
            raise _in_the_way(out, path, "was changed since an earlier run wrote it")
    return EarlierRun(out, names, frozenset(name for name in listed if (out / name).exists()))


def _in_the_way(out: Path, path: Path, what: str) -> DataError:
    return DataError(
        f"{path}: {what}, so nothing in {out} is replaced: give another --out,"
        f" or move it away first: mv {out} {out}.old"
    )


def _listed(path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the strategies and files of a run by its summary; nothing where it is not one of ours."""
    try:
        content = json.loads(path.read_bytes())
        files = dict(content[_KEY])
        runs = content.get("runs", [content])
        names = tuple(str(one["name"]) for one in runs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return (), {}
    return (names, files) if all(map(_is_inside, files)) else ((), {})


def _is_inside(name: str) -> bool:
    """A file of the folder, or of a folder in it."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
    return plain and 1 <= len(path.parts) <= 2


def _found(path: Path) -> str:
    """The digest of a file; that of a summary is of what it says beside the list."""
    data = path.read_bytes()
    with suppress(ValueError, AttributeError, RecursionError):
        if path.name == SUMMARY:
            content = json.loads(data)
            return _digest(_text({k: v for k, v in content.items() if k != _KEY}).encode())
    return _digest(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, default=str) + "\n"
