"""The command line of the backtester.

python -m engine.backtest --strategy rsi cci --data sample-1h --out results
python -m engine.backtest sample --out data/sample
python -m engine.backtest strategies
"""

import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from engine.backtest.data.configuration import ConfigError, located
from engine.backtest.data.loaders import DataError
from engine.backtest.data.output_folder import check_folder
from engine.strategies.calls import StrategyFault
from runtime.suggestions import allowed, did_you_mean
from runtime.typer_refusals import PlainGroup, whole_number

if TYPE_CHECKING:
    from engine.backtest.data.market import MarketData
    from engine.backtest.report.result import Result
    from engine.backtest.runs.config import RunConfig

_MANY = ("--strategy", "--data", "--beside", "--param", "--exit", "--broker", "--finer", "--funding")

Many = list[str] | None


class _Backtests(PlainGroup):
    """Its first word may be left out, which is `run`; an option may be followed by several values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # click's, or typer's own copy
        """Parse the words after they have been completed."""
        given = list(args)
        if given and given[0].startswith("-") and given != ["--help"]:
            given.insert(0, "run")
        parsed: list[str] = super().parse_args(ctx, list(each_with_its_option(given)))
        return parsed

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  # as above
        """Show the commands, then the options of `run`, which may follow directly."""
        super().format_help(ctx, formatter)
        command = self.commands["run"]
        command.format_help(command.context_class(command, parent=ctx, info_name="run"), formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  # as above
        """The command that `args` begin with; any other word was perhaps meant as a strategy."""
        word = args[0]
        if word not in self.commands and not did_you_mean(word, self.commands):
            meant = f" (did you mean --strategy {word}?)"
            ctx.fail(f"there is no command {word!r}{meant}{allowed(word, self.commands)}")
        return super().resolve_command(ctx, args)  # type: ignore[no-untyped-call]


app = typer.Typer(
    cls=_Backtests,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Backtest strategies and report. The word run may be left out: its options follow directly.",
)


class TableFormat(StrEnum):
    """File format of trades, equity and bars."""

    PARQUET = "parquet"
    CSV = "csv"


def _table_format(text: str) -> TableFormat:
    try:
        return TableFormat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither parquet nor csv") from None


@app.command(epilog="Example: nextbar backtest --strategy rsi cci --data sample-1h --param rsi.length=10")
def run(
    strategy: Annotated[Many, typer.Option(help="Strategies to run, by name.")] = None,
    data: Annotated[
        Many, typer.Option(help="Files of bars or names of sample markets; SYMBOL=FILE names the symbol.")
    ] = None,
    beside: Annotated[
        Many, typer.Option(help="Bars that strategies only look at: of other symbols, or longer ones.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="JSON file; options here go on top of it.")] = None,
    param: Annotated[Many, typer.Option(help="NAME=VALUE or STRATEGY.NAME=VALUE.")] = None,
    exits: Annotated[
        Many,
        typer.Option("--exit", help="NAME=VALUE of the exit rules, such as trailing_r=3 exit_time=15:55."),
    ] = None,
    broker: Annotated[
        Many, typer.Option(help="NAME=VALUE, as commission_percent=0.04; SYMBOL.tick=0.1 for one symbol.")
    ] = None,
    finer: Annotated[
        Many, typer.Option(help="SYMBOL=FILE: finer bars, for the price path inside bars.")
    ] = None,
    funding: Annotated[Many, typer.Option(help="SYMBOL=FILE: funding_time and funding_rate.")] = None,
    instruments: Annotated[
        str | None, typer.Option(help="Saved exchangeInfo response: ticks, quantity steps, minimum orders.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First bar, like 2025-01-31; UTC without a zone.")] = None,
    end: Annotated[str | None, typer.Option(help="End of the period, exclusive; UTC without a zone.")] = None,
    gaps: Annotated[str | None, typer.Option(help="Missing bars: refuse, keep (default) or fill.")] = None,
    engine: Annotated[str | None, typer.Option(help="kernel or event.")] = None,
    jobs: Annotated[int, typer.Option(parser=whole_number(1), metavar="NUMBER", help="Processes.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for trades, equity, summary and reports.")] = None,
    trades: Annotated[
        TableFormat, typer.Option(parser=_table_format, metavar="parquet|csv", help="Of trades and equity.")
    ] = TableFormat.PARQUET,
    page: Annotated[bool, typer.Option(help="Write report.html too.")] = True,
) -> None:
    """Backtest strategies and report."""
    console = Console(highlight=False, markup=False)
    try:
        options = _options(
            strategy,
            data,
            beside,
            param,
            exits,
            broker,
            finer,
            funding,
            instruments,
            start,
            end,
            gaps,
            engine,
        )
        found = list(_results(config, options, jobs, out, (trades, page)))
        results = [one for one in found if not isinstance(one, StrategyFault)]
        if results:
            _print(console, results)
        if results and out is not None:
            from engine.backtest.report.outputs import write_outputs  # noqa: PLC0415  # pyarrow's writers

            earlier = write_outputs(out, results, trades, page=page, are_several=len(found) > 1)
            replaced = f", replaces the results of {', '.join(earlier.names)} there" if earlier.names else ""
            console.print(f"written to {out}{replaced}", soft_wrap=True)
        _end_with([one for one in found if isinstance(one, StrategyFault)])
    except (ConfigError, DataError) as e:
        _refuse(e)


@app.command(epilog="Example: nextbar backtest sample --out data/sample")
def sample(
    out: Annotated[Path, typer.Option(help="Folder.")],
    name: Annotated[Many, typer.Option(help="Of these markets only.")] = None,
    form: Annotated[
        TableFormat, typer.Option("--format", parser=_table_format, metavar="parquet|csv")
    ] = TableFormat.PARQUET,
) -> None:
    """Write the sample markets as files of bars."""
    from engine.backtest.data.sample_files import write_samples  # noqa: PLC0415

    try:
        for path in write_samples(out, name, form):
            Console(highlight=False).print(str(path), soft_wrap=True)
    except (ConfigError, DataError) as e:
        _refuse(e)


@app.command(epilog="Example: nextbar backtest strategies rsi")
def strategies(
    names: Annotated[Many, typer.Argument(help="Of these strategies only.")] = None,
    schema: Annotated[
        str | None, typer.Option(help="Print this strategy's parameters as JSON schema.")
    ] = None,
) -> None:
    """List the strategies that can be run, with their parameters."""
    from engine.backtest.runs.strategies import strategy_class  # noqa: PLC0415  # slow, so only here
    from engine.backtest.strategy_list import describe  # noqa: PLC0415
    from engine.strategies.base import registry  # noqa: PLC0415
    from engine.strategies.finding import strategy_names  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    try:
        if schema is not None:
            import json  # noqa: PLC0415  # this branch only

            text = json.dumps(strategy_class(schema).Params.model_json_schema(), indent=2)
            console.print(text, soft_wrap=True)
            return
        broken = [] if names else [*registry.broken()]
        for name in names or strategy_names():
            try:
                cls = strategy_class(name)
            except ConfigError as e:
                if names:
                    raise
                broken.append(str(e))
                continue
            head, table = describe(name, cls)
            console.print(head, soft_wrap=True)
            if table is not None:
                console.print(table)
        for sentence in broken:
            print(sentence, file=sys.stderr)  # noqa: T201  # the list itself stays what it is
    except ConfigError as e:
        _refuse(e)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; without one it is `run`."""
    app(args=None if argv is None else list(argv), prog_name="python -m engine.backtest")


def each_with_its_option(argv: Sequence[str]) -> Iterator[str]:
    """`--strategy a b` as `--strategy a --strategy b`."""
    option = ""
    taken = False
    for word in argv:
        if word.startswith("-"):
            option, taken = (word, False) if word in _MANY else ("", False)
            yield word
        elif option and taken:
            yield option
            yield word
        else:
            taken = bool(option)
            yield word


def _options(
    strategy: Many,
    data: Many,
    beside: Many,
    param: Many,
    exits: Many,
    broker: Many,
    finer: Many,
    funding: Many,
    instruments: str | None,
    start: str | None,
    end: str | None,
    gaps: str | None,
    engine: str | None,
) -> dict[str, Any]:
    """The options of the command line as part of a configuration."""
    from engine.backtest.runs.config import broker_options, choices, named_value  # noqa: PLC0415  # pydantic models

    options: dict[str, Any] = {}
    if strategy:
        options["strategies"] = choices(strategy, param or (), exits or ())
    elif param or exits:
        raise ConfigError("--param and --exit go with --strategy")
    plain = {
        "data": data,
        "beside": beside,
        "instruments": instruments,
        "start": start,
        "end": end,
        "gaps": gaps,
        "engine": engine,
    }
    options |= {name: given for name, given in plain.items() if given}
    for name, files in (("finer", finer), ("funding", funding)):
        if files:
            options[name] = dict(named_value(f"--{name}", text) for text in files)
    if broker:
        options["broker"] = broker_options(broker)
    return options


def _results(
    file: Path | None, options: dict[str, Any], jobs: int, out: Path | None, form: tuple[str, bool]
) -> "Iterator[Result | StrategyFault]":
    from engine.backtest.data.market_files import load_market  # noqa: PLC0415  # pydantic models
    from engine.backtest.run import check  # noqa: PLC0415  # numba
    from engine.backtest.runs.config import build_config  # noqa: PLC0415  # pydantic models

    config = build_config(None if file is None else located(file), options)
    if out is not None:
        _check_out(out, [one.title for one in config.strategies], *form)
    for choice in config.strategies:
        check(config, choice)
    market = load_market(config)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("backtesting", total=len(config.strategies))
        for result in _run_all(config, market, jobs):
            progress.advance(task)
            yield result


def _check_out(out: Path, titles: list[str], suffix: str, page: bool) -> None:
    """Raise `DataError` where results cannot be written, or files that are not ours are in the way."""
    from engine.backtest.report.earlier import earlier_run  # noqa: PLC0415  # where it is needed
    from engine.backtest.report.outputs import file_names  # noqa: PLC0415  # pyarrow's writers

    check_folder(out, titles if len(titles) > 1 else ())
    earlier_run(out, file_names(titles, suffix, page=page))


def _run_all(config: "RunConfig", market: "MarketData", jobs: int) -> "Iterator[Result | StrategyFault]":
    from engine.backtest.run import run_or_fault  # noqa: PLC0415  # numba

    if jobs == 1 or len(config.strategies) == 1:
        for choice in config.strategies:
            yield run_or_fault(config, choice, market)
        return
    from joblib import Parallel, delayed  # noqa: PLC0415  # only with several processes

    work = (delayed(run_or_fault)(config, choice, market) for choice in config.strategies)
    yield from Parallel(n_jobs=min(jobs, len(config.strategies)), return_as="generator")(work)


def _print(console: Console, results: "Sequence[Result]") -> None:
    from engine.backtest.report.settings import broker_line, data_lines  # noqa: PLC0415  # pydantic models
    from engine.backtest.report.text import comparison, open_lines  # noqa: PLC0415  # with what run needs

    summaries = [one.summary for one in results]
    for line in (*data_lines(summaries[0]), broker_line(summaries[0]["broker"])):
        console.print(line, soft_wrap=True)
    for table in comparison(summaries, console.width):
        console.print(table)
    for one in results:
        for text in (*open_lines(one.summary), *one.summary["warnings"]):
            console.print(f"{one.title}: {text}", soft_wrap=True)


def _end_with(faults: Sequence[StrategyFault]) -> None:
    """Print the faults of strategies after the results of the others; exit code 2."""
    for fault in faults:
        text = "\n".join(filter(None, (fault.trace, f"backtest: {fault}")))
        print(text, file=sys.stderr)  # noqa: T201  # where in a person's own code
    if faults:
        raise typer.Exit(2)


def _refuse(error: Exception) -> None:
    print(f"backtest: {error}", file=sys.stderr)  # noqa: T201  # the one sentence a person gets
    raise typer.Exit(2) from None
