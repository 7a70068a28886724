"""Parses the `--market` option."""

from pathlib import Path

from gateways.simulator.markets.base import Market, MarketError, MarketOptions
from gateways.simulator.markets.flow.profiles import REGIMES
from gateways.simulator.markets.synthetic import SyntheticMarket

KINDS = (
    "synthetic, recording:PATH[,PATH], klines:PATH, live:URL or synthetic:REGIME "
    f"({', '.join(name for name in REGIMES if name)})"
)


def parse_market(text: str, options: MarketOptions) -> Market:
    """Make the market that `text`, one of `KINDS`, names.

    Raises MarketError with one sentence for the user.
    """
    kind, separator, rest = text.partition(":")
    if kind == "synthetic" and rest in REGIMES and bool(separator) == bool(rest):
        return SyntheticMarket(options, rest)
    if rest and kind == "recording":
        from gateways.simulator.markets.recording import RecordingMarket  # noqa: PLC0415 - loads gzip files

        return RecordingMarket([Path(part) for part in rest.split(",") if part], options)
    if rest and kind == "klines":
        from gateways.simulator.markets.klines import KlinesMarket  # noqa: PLC0415 - imports pandas

        return KlinesMarket(Path(rest), options)
    if rest and kind == "live":
        from gateways.simulator.markets.live import LiveMarket  # noqa: PLC0415 - imports websockets

        return LiveMarket(rest, options)
    raise MarketError(f"--market {text}: expected {KINDS}")
