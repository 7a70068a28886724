"""Control API at `/_control/…`: lets tests and users change prices, faults, balances and limits.

JSON in, JSON out; documented in docs/simulator.md. Commands that change something need the token of the
state folder, unless the simulator was started with --open-control.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec

from gateways.simulator.api import control_commands as command
from gateways.simulator.api.access.control_token import FILE, HEADER, matches
from gateways.simulator.api.formats.exchange_info import symbol_info
from gateways.simulator.api.formats.orders import algo_answer, order_answer
from gateways.simulator.api.requests.bounded_json import BadJsonError, check_finite, decode
from gateways.simulator.api.requests.faults import EventFault, Fault
from gateways.simulator.api.requests.params import Params
from gateways.simulator.api.rest.algo_orders import algo_request
from gateways.simulator.api.rest.dispatch import Answer
from gateways.simulator.api.rest.orders import order_request
from gateways.simulator.api.venue.venue import DEFAULT_ACCOUNT, Venue
from gateways.simulator.exchange import account_queries
from gateways.simulator.exchange.accounts import mark_price
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.exchange.model.state import MarketState
from gateways.simulator.exchange.model.symbol_changes import changed_symbol
from gateways.simulator.exchange.model.symbols import SymbolSpec, make_brackets
from runtime.json_refusals import sentence as refusal
from runtime.suggestions import SYMBOL_LIKENESS, allowed

PREFIX = "/_control/"
_APP_PREFIX = "ios_"
_T = TypeVar("_T")
_C = TypeVar("_C", bound=command.Command)
LAST_PASSES = (
    "last is one trade through the book: the market goes on by itself, and its next trades may be elsewhere; "
    "a pinned mark stays until release_mark"
)


class Rules(Protocol):
    """Settings of stream connections."""

    ping_s: float
    pong_s: float
    life_s: float
    messages_per_s: int


class Control:
    """Performs control commands on one venue; with `token` None commands need no token."""

    def __init__(self, venue: Venue, rules: Rules, token: str | None) -> None:
        self._token = token
        self._venue = venue
        self._rules = rules
        self._commands: dict[tuple[str, str], Callable[[bytes], Any]] = {
            ("GET", "state"): self._state,
            ("GET", "faults"): lambda _: venue.faults.listing(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "events"): self._add_event_fault,
            ("POST", "silence"): self._silence,
            ("POST", "drop"): self._drop,
            ("POST", "price"): self._price,
            ("POST", "funding"): self._funding,
            ("POST", "brackets"): self._brackets,
            ("POST", "symbol"): self._symbol,
            ("POST", "balance"): self._balance,
            ("POST", "account"): self._account,
            ("POST", "order"): self._order,
            ("DELETE", "order"): self._cancel,
            ("POST", "algoOrder"): self._algo_order,
            ("DELETE", "listenKey"): self._kill_listen_keys,
            ("POST", "clock"): self._clock,
            ("POST", "limits"): self._limits,
            ("POST", "sockets"): self._sockets,
            ("POST", "snapshot"): self._snapshot,
        }

    def answer(self, method: str, path: str, body: str, token: str | None) -> Answer:
        """Perform one command; errors are `{"error": sentence}` with status 400, 401 or 404."""
        handler = self._commands.get((method, path.removeprefix(PREFIX)))
        if handler is None:
            known = ", ".join(f"{verb} {PREFIX}{name}" for verb, name in self._commands)
            return _json(404, {"error": f"no command {method} {path}; known commands: {known}"})
        if method != "GET" and self._token is not None and not matches(self._token, token):
            why = f"the header {HEADER} must contain the token in the file {FILE} of the state folder"
            return _json(401, {"error": f"{method} {path}: {why} (or start with --open-control)"})
        try:
            result = handler(body.encode("utf-8", "replace") or b"{}")
        except ValueError as error:
            return _json(400, {"error": str(error).encode("utf-8", "replace").decode()})
        except ApiError as error:
            return _json(400, {"error": error.message, "code": error.code})
        self._venue.commit()
        self._venue.wake()
        return _json(200, result)

    def _state(self, _body: bytes) -> object:
        venue = self._venue
        symbols = {
            symbol: {
                "status": market.spec.status,
                **_prices(market),
                "funding_rate": str(mark_price.funding_rate(market)),
                "next_funding_ms": market.facts.next_funding_ms,
            }
            for symbol, market in venue.state.markets.items()
        }
        return {
            "now_ms": venue.clock.now_ms(),
            "skew_ms": venue.clock.skew_ms,
            "speed": venue.clock.speed,
            "accounts": list(venue.state.accounts),
            "symbols": symbols,
            "stream_connections": len(venue.hub.sockets),
            "streams": [name for name in venue.hub.subscribed() if "@" in name or "!" in name],
            "strict_routing": venue.hub.strict_routing,
            "faults": venue.faults.listing(),
        }

    def _add_fault(self, body: bytes) -> object:
        request = _read(body, command.AddFault)
        return dataclasses.asdict(self._venue.faults.add_request(Fault(**msgspec.structs.asdict(request))))

    def _add_event_fault(self, body: bytes) -> object:
        request = _read(body, command.AddEventFault)
        return dataclasses.asdict(self._venue.faults.add_event(EventFault(**msgspec.structs.asdict(request))))

    def _clear_faults(self, _body: bytes) -> object:
        self._venue.faults.clear()
        self._venue.hub.silence(())
        return {}

    def _silence(self, body: bytes) -> object:
        self._venue.hub.silence(_read(body, command.Silence).streams)
        return {}

    def _drop(self, body: bytes) -> object:
        return {"dropped": self._venue.hub.drop_all(_read(body, command.Drop).route)}

    def _price(self, body: bytes) -> object:
        request = _read(body, command.SetPrice)
        venue, now_ms = self._venue, self._venue.clock.now_ms()
        spec = self._spec(request.symbol)
        if request.last is not None and not spec.is_trading:
            raise ValueError(f"last: {request.symbol} does not trade now ({spec.status})")
        for name, price in (("index", request.index), ("mark", request.mark), ("last", request.last)):
            if price is not None and not spec.tick_size <= price <= spec.max_price:
                raise ValueError(f"{name}: expected a price from {spec.tick_size} to {spec.max_price}")
        if request.index is not None:
            venue.exchange.set_index_price(request.symbol, request.index, now_ms)
        if request.mark is not None or request.release_mark:
            venue.exchange.set_mark_price(request.symbol, request.mark, now_ms)
        if request.last is not None:
            self._trade_to(request.symbol, spec.price_to_ticks(request.last), now_ms)
        venue.exchange.after_market(request.symbol, now_ms)
        passing = {} if request.last is None else {"note": LAST_PASSES}
        return {**_prices(venue.state.market(request.symbol)), **passing}

    def _trade_to(self, symbol: str, ticks: int, now_ms: int) -> None:
        """Match everything up (or down) to a price, then publish a trade of one lot there.

        Where that empties a side of the book, the size taken is put back at the new price, so that stops
        triggered by the move find a counterparty.
        """
        exchange = self._venue.exchange
        book = exchange.book(symbol)
        ask, bid = book.best_ask(), book.best_bid()
        enough = 10**12
        if ask is not None and ticks >= ask:
            taken = enough - exchange.market_take(symbol, "BUY", enough, ticks, now_ms)
            if book.best_ask() is None:
                book.add("SELL", ticks, taken)
        elif bid is not None and ticks <= bid:
            taken = enough - exchange.market_take(symbol, "SELL", enough, ticks, now_ms)
            if book.best_bid() is None:
                book.add("BUY", ticks, taken)
        exchange.print_trade(symbol, ticks, 1, buyer_is_maker=False, now_ms=now_ms)

    def _funding(self, body: bytes) -> object:
        request = _read(body, command.SetFunding)
        self._spec(request.symbol)
        if request.rate is not None and abs(request.rate) > 1:
            raise ValueError("rate: expected a number from -1 to 1")
        self._venue.exchange.set_funding_rate(request.symbol, request.rate, self._venue.clock.now_ms())
        return {"next_funding_ms": self._venue.state.market(request.symbol).facts.next_funding_ms}

    def _brackets(self, body: bytes) -> object:
        request = _read(body, command.SetBrackets)
        if not request.rows:
            raise ValueError("rows: expected at least one bracket")
        caps = [row.notional_cap for row in request.rows]
        if caps != sorted(set(caps)) or not all(0 < row.maint_margin_ratio < 1 for row in request.rows):
            raise ValueError("rows: expected rising notional_cap, and maint_margin_ratio between 0 and 1")
        self._spec(request.symbol)
        rows = [(row.leverage, row.notional_cap, str(row.maint_margin_ratio)) for row in request.rows]
        self._venue.exchange.set_brackets(request.symbol, make_brackets(rows), self._venue.clock.now_ms())
        return {}

    def _symbol(self, body: bytes) -> object:
        """Change status and filters; answer with the symbol's new row of exchangeInfo."""
        request = _read(body, command.SetSymbol)
        given = {k: v for k, v in msgspec.structs.asdict(request).items() if v is not None}
        spec = changed_symbol(self._spec(given.pop("symbol")), given)
        self._venue.set_spec(spec)
        return symbol_info(spec)

    def _balance(self, body: bytes) -> object:
        request = _read(body, command.Deposit)
        account = request.account or DEFAULT_ACCOUNT
        self._check_account(account)
        self._venue.exchange.deposit(account, request.amount, self._venue.clock.now_ms())
        total = account_queries.account_summary(self._venue.state, account).total
        return {"wallet_balance": str(total.wallet_balance)}

    def _account(self, body: bytes) -> object:
        request = _read(body, command.NewAccount)
        if (request.secret is None) == (request.public_key is None):
            raise ValueError("expected either secret or public_key")
        self._venue.keys.save(request.key, request.account, secret=request.secret, pem=request.public_key)
        self._venue.exchange.create_account(request.account, request.balance, self._venue.clock.now_ms())
        return {"account": request.account}

    def _order(self, body: bytes) -> object:
        """Place an order of the same account, as if entered by hand in the app."""
        account, params, now_ms = self._manual(body, "newClientOrderId")
        order = self._venue.exchange.submit(account, order_request(params), now_ms)
        return order_answer(self._venue.spec(order.symbol), order, legacy_avg_price=True)

    def _algo_order(self, body: bytes) -> object:
        account, params, now_ms = self._manual(body, "clientAlgoId")
        order = self._venue.exchange.submit_algo(account, algo_request(params), now_ms)
        return algo_answer(self._venue.spec(order.symbol), order)

    def _cancel(self, body: bytes) -> object:
        account, params, now_ms = self._manual(body, "")
        order = self._venue.exchange.cancel(
            account,
            params.require("symbol").upper(),
            params.integer("orderId"),
            params.text("origClientOrderId"),
            now_ms,
        )
        return order_answer(self._venue.spec(order.symbol), order)

    def _manual(self, body: bytes, client_id: str) -> tuple[str, Params, int]:
        values = _decoded(body, dict[str, Any])
        account = str(values.pop("account", DEFAULT_ACCOUNT))
        self._check_account(account)
        now_ms = self._venue.clock.now_ms()
        if client_id:
            values.setdefault(client_id, f"{_APP_PREFIX}{self._venue.exchange.next_update_id()}")
        if client_id == "clientAlgoId":
            values.setdefault("algoType", "CONDITIONAL")
        return account, Params.of_json(values), now_ms

    def _kill_listen_keys(self, _body: bytes) -> object:
        """End all listen keys, as if they had expired."""
        killed = self._venue.listen_keys.take_all()
        for key in killed:
            self._venue.users.end(key, self._venue.clock.now_ms())
        return {"killed": len(killed)}

    def _clock(self, body: bytes) -> object:
        clock, wanted_ms = self._venue.clock, _read(body, command.Clock).skew_ms
        still_ms = max(0, clock.skew_ms) - max(0, wanted_ms)
        if still_ms > command.MAX_STANDSTILL_MS:
            raise ValueError(
                "skew_ms: the exchange's time never goes back, so the market would stand still for "
                f"{still_ms} ms; expected at most {command.MAX_STANDSTILL_MS} ms back, or a restart"
            )
        clock.skew_ms = wanted_ms
        return {"server_ms": clock.server_ms(), "stands_still_ms": max(0, still_ms)}

    def _limits(self, body: bytes) -> object:
        request = _read(body, command.SetLimits)
        limits = self._venue.limits
        _overwrite(limits.settings, request)
        if request.reset:
            limits.reset()
        if request.exhaust:
            limits.exhaust(self._venue.clock.now_ms())
        return dataclasses.asdict(limits.settings)

    def _sockets(self, body: bytes) -> object:
        request = _read(body, command.SocketSettings)
        _overwrite(self._rules, request)
        if request.strict_routing is not None:
            self._venue.hub.strict_routing = request.strict_routing
        return {}

    def _snapshot(self, _body: bytes) -> object:
        self._venue.persistence.begin_snapshot()
        return {}

    def _check_account(self, account: str) -> None:
        if account not in self._venue.state.accounts:
            raise ValueError(
                f"account: {account} does not exist{allowed(account, self._venue.state.accounts)}"
            )

    def _spec(self, symbol: str) -> SymbolSpec:
        found = self._venue.state.specs.get(symbol)
        if found is None:
            more = allowed(symbol, list(self._venue.state.specs), likeness=SYMBOL_LIKENESS)
            raise ValueError(f"symbol: this exchange has no {symbol}{more}")
        return found


def _prices(market: MarketState) -> dict[str, str]:
    return {
        "mark": str(market.mark),
        "index": str(mark_price.index_price(market)),
        "last": str(market.last_price),
    }


def _overwrite(target: object, request: command.Command) -> None:
    for name, value in msgspec.structs.asdict(request).items():
        if value is not None and hasattr(target, name):
            setattr(target, name, value)


def _read(body: bytes, kind: type[_C]) -> _C:
    command = _decoded(body, kind)
    check_finite(command)
    return command


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return decode(body, kind)
    except BadJsonError as error:
        if not isinstance(error.__cause__, msgspec.DecodeError):
            raise
        raise BadJsonError(refusal(error.__cause__, body, kind)) from error


def _json(status: int, result: object) -> Answer:
    return Answer(status, msgspec.json.encode(result), {})
