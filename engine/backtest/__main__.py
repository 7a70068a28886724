"""`python -m engine.backtest`: see `cli`."""

from runtime.process import short_run

if __name__ == "__main__":
    short_run.begin()
    from engine.backtest.cli import main  # large imports

    main()
