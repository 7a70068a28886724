"""Features of research as a data frame."""

from collections.abc import Iterable

import pandas as pd

from engine.backtest.data.sources import Source, all_bars, bars_of
from engine.series.features import Features, feature_values
from engine.series.store import Store


def features(
    bars: Source, features: Features, *, beside: Source | Iterable[Source] = (), cache: bool = True
) -> pd.DataFrame:
    """Named series over a history, as a new data frame with a row a bar; what is given stays as it is.

        nb.features("sample-1h", lambda bar: {"trend": ta.dmi(bar).adx, "hour": bar.hour})

    `bars` are what `nb.load` takes. `features` are series of `nb.BarSeries()` by name, or a function that
    makes them of the bar, such as `nb.standard_features`. `beside` are bars of the symbols that `bar.of`
    names. The index is the open time in UTC. Parts in common are computed once; with `cache` the values are
    kept on disk, at most 1 GB of them, under what the series mean and what the bars hold. `FeatureStream`
    gives the same values a bar at a time.

    Raises `SeriesError` or `DataError`: one sentence.
    """
    own = bars_of(bars)
    given = {one.symbol: one for one in all_bars(beside)}
    values = feature_values(own, features, given, store=Store() if cache else None)
    times = pd.DatetimeIndex(own.open_time_ns.astype("datetime64[ns]"), tz="UTC", name="time")
    return pd.DataFrame(values, index=times)
