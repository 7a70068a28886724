"""The gates of entries: the one list of what must be well before an order may add exposure.

A gate is data: a name, a sentence, and whether it is closed for some facts. The verdict on an entry and what
people are told (`blockers`) are both read from this list, so they cannot differ. Exits and cancels pass all
gates but the first: they need only a connection.

A new gate takes three lines: a field of `AccountFacts` or `SymbolFacts` (without a default), the gate in the
list below, and what fills the field in `engine/risk/health.py`. A sentence holds no number that changes by
itself: each new wording is told. Nor should a fact: where none has changed, sentences are not made again.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

MULTI_ASSETS = (
    "the account is in multi-assets mode, and margin is calculated for single-asset mode; switch it back"
)
ISOLATED = (
    "isolated margin, and only cross margin is traded; switch it back (the liquidation price shown is of "
    "cross margin)"
)
STALE_MARK_NS = 10_000_000_000
"""Mark prices come every second or every three."""
SHOWN_SYMBOLS = 5
Facts = TypeVar("Facts")


class AccountFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Facts about links, clock and account at one moment. No field has a default that could open a gate.

    `links_up`: the private stream and requests work. `requests_left`: there is room in this minute's request
    limit. `clock_trouble` is what is wrong between the machine's clock and the exchange's ("": nothing).
    `rebuild` is what to type where the journal lacks records ("": it has all). `paused` is since when
    everything is paused, in words ("": it is not). `killed` says that the kill switch is on, since when and
    by whom ("": it is off), `keys_refused` what the exchange says against the API key ("": nothing).
    `daily_pnl_quote` is counted where a day's loss is limited, else 0.
    """

    connected: bool
    clock_set_back: bool
    reconciled: bool
    hedge_mode: bool
    multi_assets: bool
    keys_refused: str
    links_up: bool
    requests_left: bool
    clock_trouble: str
    journal_ok: bool
    rebuild: str
    paused: str
    killed: str
    daily_pnl_quote: Decimal
    max_daily_loss_quote: Decimal | None

    @property
    def positions_known(self) -> bool:
        """Whether our positions were reconciled with the exchange's and updates of them arrive."""
        return self.reconciled and self.links_up and not self.hedge_mode


class SymbolFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Facts about one symbol at one moment. No field has a default that could open a gate.

    `quote_asset` is what the symbol is settled in ("": its filters are not known), `money` what the account
    is counted in. `status` is the exchange's word on whether it is traded. `unconfirmed_leverage` is what the
    configuration wants and the exchange has not confirmed (0: nothing), `margin_mode` "cross" or "isolated"
    ("": not known). `other_engine` is an open order that an engine other than this one made ("": none).
    `book_since` is when the book stopped being fresh, in words ("": it never was), `overdue` what else should
    have come by a stream, and since when ("": nothing). `mark_known` says that the stream has brought a mark
    price, `mark_stale` that the newest is too old.
    """

    symbol: str
    quote_asset: str
    money: str
    status: str
    margin_mode: str
    unconfirmed_leverage: int
    stop_refused: bool
    other_engine: str
    book_fresh: bool
    book_since: str
    overdue: str
    mark_known: bool
    mark_stale: bool


class Gate(msgspec.Struct, Generic[Facts], frozen=True):
    """One condition for entries. `sentence` says what is wrong when it is closed."""

    name: str
    is_closed: Callable[[Facts], bool]
    sentence: str | Callable[[Facts], str]

    def text(self, facts: Facts) -> str:
        """The sentence for these facts."""
        return self.sentence if isinstance(self.sentence, str) else self.sentence(facts)


CONNECTION: Gate[AccountFacts] = Gate(
    "connection", lambda facts: not facts.connected, "no connection to the gateway"
)
ACCOUNT_GATES: tuple[Gate[AccountFacts], ...] = (
    CONNECTION,
    Gate("kill_switch", lambda facts: facts.killed != "", lambda facts: facts.killed),
    Gate("paused", lambda facts: facts.paused != "", lambda facts: f"trading is paused since {facts.paused}"),
    Gate("clock_set_back", lambda facts: facts.clock_set_back, "the machine's clock was set back"),
    Gate("reconciled", lambda facts: not facts.reconciled, "not reconciled with the exchange"),
    Gate(
        "lost_records",
        lambda facts: facts.rebuild != "",
        lambda facts: f"the journal lacks records of our own orders; take them over with {facts.rebuild}",
    ),
    Gate("hedge_mode", lambda facts: facts.hedge_mode, "the account is in hedge mode; set it to one-way"),
    Gate("multi_assets", lambda facts: facts.multi_assets, MULTI_ASSETS),
    Gate(
        "keys",
        lambda facts: facts.keys_refused != "",
        lambda facts: f"the exchange refuses the API key ({facts.keys_refused})",
    ),
    Gate(
        "request_limit",
        lambda facts: not facts.requests_left,
        "the exchange's request limit of this minute is used up",
    ),
    Gate("links", lambda facts: not facts.links_up, "the gateway's private stream or requests are down"),
    Gate("clock", lambda facts: facts.clock_trouble != "", lambda facts: facts.clock_trouble),
    Gate("journal", lambda facts: not facts.journal_ok, "the journal takes no entries"),
    Gate(
        "daily_loss",
        lambda facts: (
            facts.max_daily_loss_quote is not None and facts.daily_pnl_quote <= -facts.max_daily_loss_quote
        ),
        lambda facts: f"today's loss has reached the limit of {facts.max_daily_loss_quote:f}",
    ),
)
"""In the order in which a person should hear of them; the first that is closed names a veto."""
NO_FILTERS = "the exchange's filters are not known yet"
INSTRUMENT: Gate[SymbolFacts] = Gate("instrument", lambda facts: not facts.quote_asset, NO_FILTERS)
SYMBOL_GATES: tuple[Gate[SymbolFacts], ...] = (
    INSTRUMENT,
    Gate(
        "quote_asset",
        lambda facts: facts.quote_asset not in {"", facts.money},
        lambda facts: f"settled in {facts.quote_asset}, but money is counted in {facts.money}",
    ),
    Gate(
        "status",
        lambda facts: facts.quote_asset != "" and facts.status != "TRADING",
        lambda facts: f"not traded at the exchange now ({facts.status or 'no status'})",
    ),
    Gate(
        "margin_mode",
        lambda facts: facts.margin_mode != "cross",
        lambda facts: ISOLATED if facts.margin_mode else "its margin mode is not known yet",
    ),
    Gate(
        "leverage_setting",
        lambda facts: facts.unconfirmed_leverage != 0,
        lambda facts: f"leverage {facts.unconfirmed_leverage} is not confirmed by the exchange",
    ),
    Gate(
        "other_engine",
        lambda facts: facts.other_engine != "",
        lambda facts: (
            f"order {facts.other_engine} is of another engine, whose journal is not here; restore that "
            "journal, or close what it left (kill, or by hand)"
        ),
    ),
    Gate("stop", lambda facts: facts.stop_refused, "a stop could not be placed, and none was placed since"),
    Gate(
        "book",
        lambda facts: not facts.book_fresh,
        lambda facts: f"no fresh book since {facts.book_since}" if facts.book_since else "no fresh book",
    ),
    Gate("overdue", lambda facts: facts.overdue != "", lambda facts: facts.overdue),
    Gate("mark", lambda facts: not facts.mark_known, "no mark price has come"),
    Gate(
        "mark_age",
        lambda facts: facts.mark_stale,
        f"the mark price is older than {STALE_MARK_NS // 1_000_000_000} s",
    ),
)


class Closed(msgspec.Struct, frozen=True):
    """A closed gate in words."""

    name: str
    sentence: str


def closed_gate(account: AccountFacts, symbol: SymbolFacts) -> Closed | None:
    """The first gate that is closed for an entry of that symbol (None: all are open)."""
    for gate in ACCOUNT_GATES:
        if gate.is_closed(account):
            return Closed(gate.name, gate.text(account))
    for one in SYMBOL_GATES:
        if one.is_closed(symbol):
            return Closed(one.name, f"{symbol.symbol}: {one.text(symbol)}")
    return None


def blockers(account: AccountFacts, symbols: Iterable[SymbolFacts]) -> tuple[str, ...]:
    """Everything that blocks entries of these symbols, as sentences. Symbols with the same trouble share
    one. Without a connection nothing else is known, and only that is said.
    """
    if CONNECTION.is_closed(account):
        return (CONNECTION.text(account),)
    found = [gate.text(account) for gate in ACCOUNT_GATES if gate.is_closed(account)]
    troubled: dict[str, list[str]] = {}
    for facts in symbols:
        for gate in SYMBOL_GATES:
            if gate.is_closed(facts):
                troubled.setdefault(gate.text(facts), []).append(facts.symbol)
    return (*found, *(f"{_named(names)}: {text}" for text, names in troubled.items()))


def _named(symbols: list[str]) -> str:
    more = len(symbols) - SHOWN_SYMBOLS
    return ", ".join(symbols[:SHOWN_SYMBOLS]) + (f" and {more} more" if more > 0 else "")
