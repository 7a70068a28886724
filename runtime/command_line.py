"""Command lines whose mistakes are one sentence. Needs only the standard library: `run.py` reads it first."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from runtime.suggestions import did_you_mean


class CommandLineError(Exception):
    """A wrong command line; one sentence."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `CommandLineError` instead of printing its usage."""

    def parse_args(  # type: ignore[override]  # the namespace is always a new one
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse all of `args`; an option that does not exist is named with the one that was perhaps meant."""
        found, unknown = self.parse_known_args(args, namespace)
        for word in unknown:
            option = word.partition("=")[0]
            if option.startswith("-"):
                self.error(f"there is no option {option}{did_you_mean(option, self._option_string_actions)}")
        if unknown:
            self.error(f"{unknown[0]!r} is one word too many")
        return found

    def error(self, message: str) -> NoReturn:
        """Raise; argparse's own texts are made to read like the rest."""
        said = message.removeprefix("argument ")
        raise CommandLineError(f"{said[:1].lower()}{said[1:]}; {self.prog} --help lists all arguments")


def whole_number(text: str) -> int:
    """The type of an option that takes an integer."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None


def number(text: str) -> float:
    """The type of an option that takes a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
