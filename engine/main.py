"""Start the engine: `python engine/main.py [ENV] [SYMBOL]`, from any directory. ENV is demo by default."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from engine.shell.live import main

    sys.exit(main())
