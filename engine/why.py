"""Why a strategy did what it did on a bar, in conditions with their numbers.

python -m engine.why rsi --data sample-1h --at 2023-07-28T08:00 --param length=10
python -m engine.why breakaway --env demo --at 2024-03-01T14:00 [--data ETHUSDT_1m.csv]
python -m engine.why --env demo
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from runtime.process import short_run
from runtime.settings import ENVIRONMENTS, Home, SettingsError
from runtime.settings.load import parse_settings, with_ids
from runtime.suggestions import allowed
from runtime.typer_refusals import PlainCommand

if TYPE_CHECKING:
    from engine.model.config import StrategySpec

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_NAME = "NAME, FILE.py:Class, FILE.toml or package.module:Class; of a run, its name there."


@app.command(cls=PlainCommand)
def why(
    strategy: Annotated[str, typer.Argument(help=_NAME)] = "",
    data: Annotated[
        list[str] | None,
        typer.Option(help="File of bars or name of a sample market; SYMBOL=FILE names the symbol."),
    ] = None,
    at: Annotated[
        str, typer.Option(help="A moment in the bar, UTC without a zone; the last bar by default.")
    ] = "",
    param: Annotated[list[str] | None, typer.Option(help="NAME=VALUE.")] = None,
    symbol: Annotated[
        str, typer.Option(help="The symbol that decides, where data of several are given.")
    ] = "",
    env: Annotated[str, typer.Option(help="A run: demo, paper, testnet or live.")] = "",
    of: Annotated[str, typer.Option("--strategy", help="The strategy, also as an option.")] = "",
) -> None:
    """Say why a strategy did what it did on a bar.

    With --data: its conditions with their numbers on that bar. With --env and --at: what the run has recorded
    about the bar; with --data beside it, its conditions, with the parameters of the run's configuration. With
    --env alone: what the running engine says about the last bar.
    """
    short_run.begin()
    from engine.backtest.data.configuration import ConfigError  # noqa: PLC0415  # slow to import
    from engine.backtest.data.loaders import DataError  # noqa: PLC0415  # as above
    from engine.journal.segment import JournalError  # noqa: PLC0415  # as above
    from engine.model.sentences import SentenceError  # noqa: PLC0415  # as above
    from engine.strategies.calls import StrategyFault  # noqa: PLC0415  # as above

    name = strategy or of
    try:
        if env and env not in ENVIRONMENTS:
            _refuse(f"there is no environment {env!r}{allowed(env, ENVIRONMENTS)}")
        if data:
            _of_data(name, data, at, param or [], symbol, env)
        elif at or param:
            _of_records(name, at, symbol, env or "demo", param or [])
        else:
            _of_engine(name, symbol, env or "demo")
    except (
        ConfigError,
        DataError,
        JournalError,
        SentenceError,
        SettingsError,
        StrategyFault,
        OSError,
    ) as error:
        _refuse(str(error))


def _of_data(name: str, data: list[str], at: str, params: list[str], symbol: str, environment: str) -> None:
    """The conditions on a bar of the data; those of a run's strategy have its parameters."""
    from engine.backtest.data.configuration import ConfigError  # noqa: PLC0415  # as above
    from engine.backtest.data.market_files import load_market  # noqa: PLC0415  # as above
    from engine.backtest.runs.config import build_config, choices  # noqa: PLC0415  # as above
    from engine.backtest.runs.reasons import reasons_on  # noqa: PLC0415  # as above
    from engine.backtest.runs.strategies import built  # noqa: PLC0415  # as above
    from engine.strategies.finding import find_strategy  # noqa: PLC0415  # as above

    moment = _moment(at)
    title, place, told = name, name, {}
    if environment:
        spec = _spec(name, environment)
        title, place, told = spec.owner, spec.name, dict(spec.params)
        symbol = symbol or (spec.symbols[0] if len(spec.symbols) == 1 else "")
        _print_records(name, at, symbol, environment)
    elif not name:
        raise ConfigError("name the strategy: why STRATEGY --data FILE --at TIME")
    [choice] = choices([place], params, ())
    config = build_config(None, {"strategies": [choice], "data": data})
    market = load_market(config)
    cls = find_strategy(place, [Home.find().root / "configs"])
    made = built(cls, told | config.strategies[0].params)
    chosen = _chosen_symbol(symbol, list(market.bars))
    for line in reasons_on(title, made, market.bars[chosen], moment, market.all_bars):
        typer.echo(line)


def _of_records(name: str, at: str, symbol: str, environment: str, params: list[str]) -> None:
    if params:
        _refuse("--param goes with --data; a run has the parameters of its configuration")
    if not _print_records(name, at, symbol, environment):
        raise typer.Exit(1)


def _print_records(name: str, at: str, symbol: str, environment: str) -> bool:
    """What the run has recorded about a bar; whether there was anything."""
    from engine.journal.segment import segment_paths  # noqa: PLC0415  # as above
    from engine.shell.recorded import lines_about, signals_on  # noqa: PLC0415  # as above

    folder = Home.find().data(environment) / "engine" / "journal"
    if not segment_paths(folder):
        _refuse(f"there is no journal of {environment} yet: the first run creates it")
    found = signals_on(folder, _moment(at), name, symbol)
    for one in found:
        for line in lines_about(one):
            typer.echo(line)
    if not found:
        of = f" of {name}" if name else ""
        when = f"for a bar at {at}" if at else "yet"
        typer.echo(
            f"{environment} has recorded no signal{of} {when}: it records bars on which a strategy said "
            "something, and keeps no bars; give them with --data for the conditions of any bar"
        )
    return bool(found)


def _of_engine(name: str, symbol: str, environment: str) -> None:
    """What the running engine answers."""
    from engine.ctl import ask_why  # noqa: PLC0415  # as above

    ask_why(environment, name, symbol)


def _spec(name: str, environment: str) -> "StrategySpec":
    """The strategy of that name in the configuration of an environment."""
    from engine.backtest.data.configuration import ConfigError  # noqa: PLC0415  # as above
    from engine.model.owners import strategy_name  # noqa: PLC0415  # as above
    from engine.shell.configure import of_settings  # noqa: PLC0415  # as above

    settings = parse_settings(Home.find().config(environment), environment)
    settings = settings.model_copy(update={"strategies": with_ids(settings.strategies)})
    specs = of_settings(settings, engine_id="", client_id_prefix="").strategies
    meant = [one for one in specs if name in {"", one.owner, strategy_name(one.owner), one.name}]
    if len(meant) == 1:
        return meant[0]
    known = ", ".join(one.owner for one in specs)
    what = f"several strategies are {name}" if meant and name else "name the strategy"
    if not meant:
        what = f"the configuration of {environment} has no strategy {name}"
    raise ConfigError(f"{what}; there are {known}")


def _chosen_symbol(symbol: str, known: list[str]) -> str:
    """The symbol that decides: the one given, else the first of the data."""
    from engine.backtest.data.configuration import ConfigError  # noqa: PLC0415  # as above

    if symbol and symbol not in known:
        raise ConfigError(f"there are no data of {symbol}; given were {', '.join(known)}")
    return symbol or known[0]


def _moment(text: str) -> datetime | None:
    from engine.backtest.data.configuration import ConfigError, moment_of  # noqa: PLC0415  # as above

    try:
        return moment_of(text) if text else None
    except ValueError as error:
        raise ConfigError(f"--at: {error}") from None


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app(prog_name="python -m engine.why")
