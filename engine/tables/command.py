"""`python -m engine.tables follow|rebuild|status [ENV]`: SQL tables made from the journal.

`follow` runs until its stdin closes (or for ever, with --forever); the engine or its supervisor starts it.
"""

import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from engine.journal.segment import JournalError
from engine.journal.tail import JournalTail
from engine.tables.database import TablesRefused, make_engine, stored_progress
from engine.tables.follower import ACCEPT_LOSS, Follower
from engine.tables.retention import DAY_S, Retention
from runtime.control.shown import counted
from runtime.process.child import at_end_of_stdin
from runtime.process.files import keep_private
from runtime.settings import ENVIRONMENTS, Home, Settings, SettingsError
from runtime.settings.load import parse_settings
from runtime.suggestions import allowed
from runtime.typer_refusals import PlainGroup, number

app = typer.Typer(
    cls=PlainGroup, add_completion=False, help="SQL tables of orders, fills, signals, positions and equity."
)
Environment = Annotated[str, typer.Argument(help=", ".join(ENVIRONMENTS))]
JOURNAL_FOLDER = "journal"
"""Inside data/<env>/engine."""
_LONGEST_WAIT_S = 30.0
_TROUBLE = (JournalError, TablesRefused, sa.exc.SQLAlchemyError, OSError)


def _open(environment: str) -> tuple[Follower, Path, sa.Engine, Retention]:
    if environment not in ENVIRONMENTS:
        raise _refusal(f"there is no environment {environment!r}{allowed(environment, ENVIRONMENTS)}")
    home = Home.find()
    folder = home.data(environment) / "engine"
    try:
        settings: Settings = parse_settings(home.config(environment), environment)
        keep_private(folder)
        url = settings.engine.journal.database_url
        keep_s = settings.engine.journal.keep_days * DAY_S
        engine = make_engine(url, folder, is_archive=keep_s > 0)
    except (SettingsError, ValueError, OSError) as error:
        raise _refusal(str(error)) from None
    journal = folder / JOURNAL_FOLDER
    retention = Retention(journal, keep_s, time.time)
    return Follower(engine, journal, is_own=not url), journal, engine, retention


def _refusal(text: str) -> typer.Exit:
    typer.echo(text, err=True)
    return typer.Exit(2)


@app.command()
def rebuild(
    environment: Environment = "demo",
    *,
    accept_loss: Annotated[
        bool, typer.Option(ACCEPT_LOSS, help="Also when the journal no longer has all that the tables hold.")
    ] = False,
) -> None:
    """Drop the tables and make them again from the whole journal."""
    follower, folder, *_ = _open(environment)
    try:
        if not accept_loss:
            follower.refuse_loss()
        follower.drop()
        count = follower.catch_up()
    except _TROUBLE as error:
        raise _refusal(_sentence(error)) from None
    typer.echo(f"{count} records of {folder} are in the tables")


@app.command()
def status(environment: Environment = "demo") -> None:
    """Show how far the tables are behind the journal."""
    _, folder, engine, _ = _open(environment)
    try:
        row = stored_progress(engine)
        applied = 0 if row is None else row["sequence"]
        tail = JournalTail(folder)
        last = tail.newest_sequence()
        typer.echo(f"journal {last}, tables {applied}, lag {last - applied} records")
        if last > applied:
            tail.begin_before(applied + 1)
            while tail.read():
                pass
    except _TROUBLE as error:
        raise _refusal(_sentence(error)) from None


@app.command()
def follow(
    environment: Environment = "demo",
    every: Annotated[
        float, typer.Option(parser=number(0.01), metavar="SECONDS", help="Seconds between looks.")
    ] = 0.5,
    *,
    forever: Annotated[bool, typer.Option(help="Go on when stdin closes.")] = False,
) -> None:
    """Keep the tables up to the journal until stdin closes, or Ctrl+C."""
    follower, _, _, retention = _open(environment)
    stop = threading.Event()
    _stop_with_ctrl_c(stop)
    if not forever:
        at_end_of_stdin(stop.set)
    keep_up(follower, stop, every, retention)


def _stop_with_ctrl_c(stop: threading.Event) -> None:
    """The first one ends it when all is in the tables, the second one at once."""

    def ask(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Not from here: this interrupts whoever waits for the event, maybe with its lock in hand.
        threading.Thread(target=stop.set, daemon=True).start()

    signal.signal(signal.SIGINT, ask)


def keep_up(
    follower: Follower, stop: threading.Event, every_s: float, retention: Retention | None = None
) -> None:
    """Catch up until `stop`; a database that fails is tried again, more and more slowly."""
    wait_s, said = every_s, ""
    while True:
        last_look = stop.is_set()
        try:
            follower.catch_up()
            while follower.notes:
                typer.echo(follower.notes.pop(0), err=True)
            if said:
                typer.echo("tables are up to the journal again", err=True)
            wait_s, said = every_s, ""
            if retention is not None:
                _drop_old(retention, follower)
        except _TROUBLE as error:
            wait_s = min(max(wait_s, 0.5) * 2, _LONGEST_WAIT_S)
            if _sentence(error) != said:
                said = _sentence(error)
                lag = counted(follower.lag(), "record")
                typer.echo(f"tables lag {lag} behind the journal: {said}", err=True)
        if last_look:
            return
        stop.wait(wait_s)


def _drop_old(retention: Retention, follower: Follower) -> None:
    try:
        gone = retention.look(follower)
    except _TROUBLE as error:
        typer.echo(f"old journal files stay for now: {_sentence(error)}", err=True)
        return
    if gone:
        typer.echo(f"{counted(gone, 'old journal file')} deleted: tables and snapshots hold them", err=True)


def _sentence(error: Exception) -> str:
    """Without the URL, which may hold a password, and without the statement."""
    original = getattr(error, "orig", None) or error
    return next(iter(str(original).splitlines()), type(original).__name__)
