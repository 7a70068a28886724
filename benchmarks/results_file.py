"""The file that a benchmark's option `--json` asks for."""

import json
import os
import platform
import time
from pathlib import Path
from typing import Any


def write_results(path: Path | None, results: dict[str, Any], **about: object) -> None:
    """Write the numbers, and before them when and on what they were measured. Nothing without a path."""
    if path is None:
        return
    machine = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    path.write_text(json.dumps({"about": machine | about, **results}, indent=1) + "\n")
