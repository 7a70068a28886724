"""`python -m nextbar`: see `cli`."""

from nextbar.cli import main

if __name__ == "__main__":
    main()
