"""Sharing a processor with other processes."""

import sys

if sys.platform == "win32":
    import time

    def give_way() -> None:
        """Let a process that is waiting for this processor run first."""
        time.sleep(0)

else:
    from runtime.process.posix import give_way

__all__ = ["give_way"]
