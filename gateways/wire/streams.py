"""Names of streams in `Subscribe`: "book", "trade", "mark", "kline:<interval>"."""

_KLINE = "kline:"


def kline_stream(interval: str) -> str:
    """Name of the stream of an interval's klines."""
    return f"{_KLINE}{interval}"


def kline_interval(stream: str) -> str:
    """The interval of a stream of klines ("": it is another stream, or none)."""
    interval = stream.removeprefix(_KLINE)
    return interval if stream.startswith(_KLINE) and interval.isalnum() else ""
