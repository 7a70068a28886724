"""`python -m engine.backtest`: see `cli`."""

from engine.backtest.cli import main

if __name__ == "__main__":
    main()
