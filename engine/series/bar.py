"""The bar that `define` is given: series of its prices, volume and time."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from engine.model.timeframes import timeframe_ns
from engine.series.clock import checked_zone
from engine.series.nodes import DECIDING, BoolSeries, Feed, Series, SeriesError, make
from engine.series.refused import sentence_about_bar

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_NOT_SET = "cannot be: nothing is added to the bar; give the series a name of its own, average = ta.ema(...)"
FIELDS = ("open", "high", "low", "close", "volume", "time_ms", "bar_index")
"""What a bar of a feed gives a graph; the rest is made of them."""


@dataclass(frozen=True, slots=True)
class BarSeries:
    """The bars of one feed as series. Prices are in the quote asset, volume in the base asset.

    `on` and `of` are the only ways to other bars: their values are those of the last bar that has closed.
    """

    feed: Feed = DECIDING

    if not TYPE_CHECKING:  # which would take each name for one that it has

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("__"):
                raise AttributeError(name)
            known = [one for one in dir(type(self)) if not one.startswith("_") and one != "feed"]
            raise SeriesError(sentence_about_bar(name, known))

    def __getitem__(self, _: object) -> NoReturn:
        raise SeriesError("bar[...] is nothing; bar.close[1] is the close one bar ago")

    def __setitem__(self, name: object, _: object) -> NoReturn:
        raise SeriesError(f"bar[{name!r:.40}] = ... {_NOT_SET}")

    def _field(self, name: str) -> Series:
        node = make(Series, "field", data=(name,), feed=self.feed)
        assert isinstance(node, Series)
        return node

    @property
    def open(self) -> Series:
        """Price at the open."""
        return self._field("open")

    @property
    def high(self) -> Series:
        """Highest price."""
        return self._field("high")

    @property
    def low(self) -> Series:
        """Lowest price."""
        return self._field("low")

    @property
    def close(self) -> Series:
        """Price at the close."""
        return self._field("close")

    @property
    def volume(self) -> Series:
        """Traded in the base asset; 0 on mid-price bars."""
        return self._field("volume")

    @property
    def hl2(self) -> Series:
        """(high + low) / 2."""
        return (self.high + self.low) / 2.0

    @property
    def hlc3(self) -> Series:
        """(high + low + close) / 3."""
        return (self.high + self.low + self.close) / 3.0

    @property
    def ohlc4(self) -> Series:
        """(open + high + low + close) / 4."""
        return (self.open + self.high + self.low + self.close) / 4.0

    @property
    def time(self) -> Series:
        """Open time in milliseconds UTC, as Pine's `time`."""
        return self._field("time_ms")

    @property
    def index(self) -> Series:
        """Number of the bar, from 0, as Pine's `bar_index`; it depends on where history begins."""
        return self._field("bar_index")

    def _clock(self, name: str, tz: str) -> Series:
        node = make(Series, "clock", (self.time,), (name, checked_zone(tz)), feed=self.feed)
        assert isinstance(node, Series)
        return node

    @property
    def hour(self) -> Series:
        """Hour of the open time in UTC, 0 to 23."""
        return self.hour_in("UTC")

    def hour_in(self, tz: str) -> Series:
        """Hour of the open time in a time zone, such as "America/New_York"."""
        return self._clock("hour", tz)

    @property
    def minute(self) -> Series:
        """Minute of the open time in UTC, 0 to 59."""
        return self._clock("minute", "UTC")

    def minute_of_day_in(self, tz: str) -> Series:
        """Minute of the day of the open time in a time zone, 0 to 1439."""
        return self._clock("minute_of_day", tz)

    @property
    def weekday(self) -> Series:
        """Day of the week of the open time in UTC: 0 is Monday, as in Python and pandas."""
        return self.weekday_in("UTC")

    def weekday_in(self, tz: str) -> Series:
        """Day of the week of the open time in a time zone: 0 is Monday."""
        return self._clock("weekday", tz)

    def day_in(self, tz: str) -> Series:
        """Number of the day in a time zone, counted from 1970-01-01: it changes at midnight there."""
        return self._clock("day", tz)

    def session(self, hours: str, tz: str = "UTC") -> BoolSeries:
        """Whether the bar opens within hours of a time zone: "09:30-16:00", the end not in it.

        "22:00-02:00" goes over midnight.
        """
        first, last = _minutes_of(hours)
        minute = self.minute_of_day_in(tz)
        begun, not_ended = minute >= first, minute < last
        return begun & not_ended if first < last else begun | not_ended

    def new_day(self, tz: str = "UTC") -> BoolSeries:
        """Whether the bar is the first of a day in a time zone; false on history's first."""
        day = self.day_in(tz)
        return day != day[1]

    def new_week(self, tz: str = "UTC") -> BoolSeries:
        """Whether the bar is the first of a week, from Monday, in a time zone; false on history's first."""
        week = (self.day_in(tz) + 3.0) // 7.0  # 1970-01-01 was a Thursday
        return week != week[1]

    def new_session(self, hours: str, tz: str = "UTC") -> BoolSeries:
        """Whether the bar is the first of a session, as of `session`; false on history's first.

        `ta.once_per(condition, bar.new_session("09:30-16:00", "America/New_York"))` holds once in each.
        """
        first, _ = _minutes_of(hours)
        inside = self.session(hours, tz)
        minute = self.day_in(tz) * 1440.0 + self.minute_of_day_in(tz)
        number = (minute - float(first)) // 1440.0
        return inside & ((number != number[1]) | (~inside)[1])

    def on(self, timeframe: str) -> "BarSeries":
        """The bars of a longer timeframe, such as "1h": a deciding bar sees the last closed one."""
        try:
            timeframe_ns(timeframe if hasattr(timeframe, "encode") else str(timeframe))
        except (ValueError, TypeError) as error:
            raise SeriesError(f"bar.on({timeframe!r}): {error}") from None
        if self.feed.timeframe:
            raise SeriesError(f'bar.on({timeframe!r}) goes on the bar given to define, not on bar.on("...")')
        return BarSeries(Feed(self.feed.symbol, timeframe))

    def of(self, symbol: str) -> "BarSeries":
        """The bars of another symbol, such as "BTCUSDT", of the deciding timeframe, or of that of `on`."""
        if not isinstance(symbol, str) or not symbol or not symbol.isprintable():
            raise SeriesError(f"bar.of({symbol!r}) takes the name of a symbol, such as BTCUSDT")
        return BarSeries(Feed(symbol, self.feed.timeframe))


def _not_set(_: BarSeries, name: str, __: object) -> NoReturn:
    raise SeriesError(f"bar.{name} = ... {_NOT_SET}")


BarSeries.__setattr__ = _not_set  # type: ignore[method-assign, assignment]  # a frozen one has another


def _minutes_of(hours: str) -> tuple[int, int]:
    """First minute of the day in a session, and the first after it."""
    found = _HOURS.fullmatch(hours) if isinstance(hours, str) else None
    if found is None:
        raise SeriesError(f'a session is hours such as "09:30-16:00", not {hours!r}')
    first_hour, first_minute, last_hour, last_minute = map(int, found.groups())
    return first_hour * 60 + first_minute, last_hour * 60 + last_minute
