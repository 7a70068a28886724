"""Small files that only their owner can read: keys and tokens."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically by one that only its owner can read."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
