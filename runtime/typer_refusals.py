"""Command lines made with typer: what is wrong with one is said in one sentence."""

import re
import sys
from collections.abc import Callable

import typer
from typer.core import TyperCommand, TyperGroup

from runtime.suggestions import allowed, did_you_mean

USAGE_EXIT = 2
_EXTRA_WORDS = re.compile(r"unexpected extra arguments?\W.*?\((.*)\)")
_OPTION_LIKENESS = 0.7
"""All begin with the same two dashes, and most are short."""


def whole_number(least: int) -> Callable[[str], int]:
    """A parser for an option that takes a whole number of `least` or more."""

    def parse(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            found = least - 1
        if found < least:
            raise typer.BadParameter(f"expected a whole number of {least} or more, not {text!r}")
        return found

    return parse


def number(least: float) -> Callable[[str], float]:
    """A parser for an option that takes a number of `least` or more."""

    def parse(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = -1.0
        if not least <= found < float("inf"):
            raise typer.BadParameter(f"expected a number of {least:g} or more, not {text!r}")
        return found

    return parse


class _Plain:
    """Prints one sentence where typer would draw a frame around its library's words."""

    def main(self, *args: object, standalone_mode: bool = True, **extra: object) -> object:
        """Run the command line; standalone it ends the process with its exit code."""
        run: Callable[..., object] = super().main  # type: ignore[misc]  # of the class it is mixed into
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        try:
            code = run(*args, standalone_mode=False, **extra)
        except typer.Abort:
            sys.exit(1)
        except Exception as error:
            # Its class comes from click, or from the copy of click that newer versions of typer bring along.
            if not hasattr(error, "format_message"):
                raise
            typer.echo(_sentence(error, error.format_message()), err=True)
            sys.exit(USAGE_EXIT)
        sys.exit(code if isinstance(code, int) else 0)


class PlainCommand(_Plain, TyperCommand):
    """For a program of one command: `@app.command(cls=PlainCommand)`."""


class PlainGroup(_Plain, TyperGroup):
    """For a program of several commands: `typer.Typer(cls=PlainGroup)`."""

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, D102  # click's own
        if args[0] not in self.commands and not args[0].startswith("-"):
            known = [name for name, command in self.commands.items() if not command.hidden]
            ctx.fail(f"there is no command {args[0]!r}{allowed(args[0], known)}")
        return super().resolve_command(ctx, args)


def _sentence(error: Exception, text: str) -> str:
    """What is wrong with a command line, from an exception of typer's parser and its text."""
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError" or "; allowed: " in text:
        return text
    context: typer.Context | None = getattr(error, "ctx", None)
    path = context.command_path if context is not None else ""
    said = _in_words(error, kind, context) or text
    if extra := _EXTRA_WORDS.search(text):
        said = f"{path} takes no {extra[1]!r}"
    return f"{said.rstrip('.')}; {path} --help lists what it takes" if path else said


def _in_words(error: Exception, kind: str, context: typer.Context | None) -> str:
    """The same for an option or an argument that is named ("": another mistake)."""
    option, parameter = getattr(error, "option_name", ""), getattr(error, "param", None)
    if kind == "NoSuchOption" and context is not None:
        known = [one for taken in context.command.params for one in taken.opts if one.startswith("--")]
        return f"there is no option {option}{did_you_mean(option, known, likeness=_OPTION_LIKENESS)}"
    if kind == "BadOptionUsage":
        return f"{option} {'takes no value' if 'not take' in str(error) else 'needs a value'}"
    if parameter is None:
        return ""
    options = [one for one in parameter.opts if one.startswith("-")]
    name = max(options, key=len) if options else (parameter.metavar or parameter.name.upper()).strip("{}[]")
    if kind == "MissingParameter":
        about = getattr(parameter, "help", None)
        return f"{name} is missing{f': {about}' if about else ''}"
    return f"{name}: {getattr(error, 'message', '')}" if kind == "BadParameter" else ""
