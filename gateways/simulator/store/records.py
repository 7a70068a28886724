"""The state as records: what a commit writes, and how a restart reads it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateways.simulator.exchange.model.accounts import Account, IncomeRecord, MarginChange
from gateways.simulator.exchange.model.events import ForcedOrder
from gateways.simulator.exchange.model.orders import AlgoOrder, Amendment, Order, UserTrade
from gateways.simulator.exchange.model.state import (
    MAX_CLOSED_ALGOS,
    MAX_CLOSED_ORDERS,
    AccountState,
    Counters,
    ExchangeState,
    FundingRow,
    MarketFacts,
)
from gateways.simulator.exchange.model.symbols import SymbolSpec
from gateways.simulator.store.journal import StateDamagedError

SLICE_ROWS = 250
"""Rows in one slice of a snapshot: about a millisecond of work."""


class StateRecord(msgspec.Struct, array_like=True):
    """Absolute values of what changed. History rows have their own ids, so applying one twice is harmless."""

    counters: Counters
    accounts: list[Account] = []
    orders: list[Order] = []
    algos: list[AlgoOrder] = []
    trades: list[UserTrade] = []
    income: list[IncomeRecord] = []
    amendments: list[tuple[str, Amendment]] = []
    forced: list[ForcedOrder] = []
    funding: list[FundingRow] = []
    markets: list[MarketFacts] = []
    specs: list[SymbolSpec] = []
    margin_changes: list[MarginChange] = []


def make_record(state: ExchangeState) -> StateRecord:
    """Return what changed since the last commit. The caller encodes it at once, so nothing is copied."""
    dirty = state.dirty
    _note_prices(state)
    return StateRecord(
        counters=state.counters,
        accounts=list(dirty.accounts.values()),
        orders=list(dirty.orders.values()),
        algos=list(dirty.algos.values()),
        trades=dirty.trades,
        income=dirty.income,
        amendments=dirty.amendments,
        forced=dirty.forced,
        funding=dirty.funding,
        markets=[market.facts for market in state.markets.values()],
        specs=list(dirty.specs.values()),
        margin_changes=dirty.margin_changes,
    )


def _note_prices(state: ExchangeState) -> None:
    for market in state.markets.values():
        market.facts.last_mark, market.facts.last_ticks = market.mark, market.last_ticks


def state_slices(state: ExchangeState) -> Iterator[StateRecord]:
    """Return the whole state as an iterator of records of at most `SLICE_ROWS` rows.

    The list of rows is fixed at the start, but the values of accounts and orders are those at the time
    their record is made. So the records are a consistent state only together with everything committed
    since the start, applied after them. Of the symbols, only those changed by the control API are included.
    """
    users = list(state.accounts.values())
    rows: dict[str, list[Any]] = {
        "accounts": [user.account for user in users],
        "orders": [order for user in users for order in user.orders.values()],
        "algos": [algo for user in users for algo in user.algos.values()],
        "trades": [trade for user in users for trade in user.trades],
        "income": [row for user in users for row in user.income],
        "amendments": [(user.account.account_id, row) for user in users for row in user.amendments],
        "forced": [row for user in users for row in user.forced],
        "funding": [row for market in state.markets.values() for row in market.funding_history],
        "specs": [state.specs[symbol] for symbol in sorted(state.replaced_specs)],
        "margin_changes": [row for user in users for row in user.margin_changes],
    }
    return _slices(state, rows)


def _slices(state: ExchangeState, rows: dict[str, list[Any]]) -> Iterator[StateRecord]:
    _note_prices(state)
    yield StateRecord(counters=state.counters, markets=[market.facts for market in state.markets.values()])
    for name, kept in rows.items():
        for first in range(0, len(kept), SLICE_ROWS):
            yield StateRecord(counters=state.counters, **{name: kept[first : first + SLICE_ROWS]})


def apply_record(state: ExchangeState, record: StateRecord) -> None:
    """Apply a record's values. Call `finish_restore` after the last one.

    History of symbols that this exchange does not have is kept; `finish_restore` refuses open orders and
    positions in them.
    """
    state.counters = record.counters
    for account in record.accounts:
        user = state.accounts.get(account.account_id)
        if user is None:
            state.accounts[account.account_id] = AccountState(account)
        else:
            user.account = account
    for order in record.orders:
        state.accounts[order.account_id].orders[order.order_id] = order
    for algo in record.algos:
        state.accounts[algo.account_id].algos[algo.algo_id] = algo
    for trade in record.trades:
        state.accounts[trade.account_id].trades.append(trade)
    for row in record.income:
        state.accounts[row.account_id].income.append(row)
    for account_id, amendment in record.amendments:
        state.accounts[account_id].amendments.append(amendment)
    for forced in record.forced:
        state.accounts[forced.account_id].forced.append(forced)
    for change in record.margin_changes:
        state.accounts[change.account_id].margin_changes.append(change)
    _apply_markets(state, record)


def _apply_markets(state: ExchangeState, record: StateRecord) -> None:
    for settled in record.funding:
        if settled.symbol in state.markets:
            state.markets[settled.symbol].funding_history.append(settled)
    for facts in record.markets:
        if facts.symbol in state.markets:
            state.markets[facts.symbol].facts = facts
    for spec in record.specs:
        if spec.symbol in state.markets:
            state.replace_spec(spec)


def finish_restore(state: ExchangeState) -> None:
    """Rebuild every index from the values, and raise the market ids to their reserved ceilings."""
    _refuse_unknown_symbols(state)
    state.counters.update = state.counters.update_ceiling
    for market in state.markets.values():
        market.trade_id = market.facts.trade_ceiling
        market.mark, market.last_ticks = market.facts.last_mark, market.facts.last_ticks
        market.restored = True
    for user in state.accounts.values():
        _index_orders(state, user)
        _index_algos(state, user)
    state.reserve_ids()


def _refuse_unknown_symbols(state: ExchangeState) -> None:
    for account_id, user in state.accounts.items():
        names = {position.symbol for position in user.held()}
        names.update(order.symbol for order in user.orders.values() if order.is_open)
        names.update(algo.symbol for algo in user.algos.values() if algo.is_open)
        for symbol in sorted(names - state.markets.keys()):
            raise StateDamagedError(
                f"account {account_id} has a position or an open order in {symbol}: "
                "start the exchange with this symbol or with another state folder; "
                "with run.py: put it back into symbols, or say --fresh to forget the account"
            )


def _index_orders(state: ExchangeState, user: AccountState) -> None:
    closed = []
    for order_id in sorted(user.orders):
        order = user.orders.pop(order_id)
        user.orders[order_id] = order
        user.by_client_id[order.client_order_id] = order_id
        if not order.is_open:
            closed.append(order)
            continue
        user.open_by_symbol.setdefault(order.symbol, {})[order_id] = order
        user.open_client_ids.add(order.client_order_id)
        if order.good_till_date:
            state.gtd_orders[order_id] = order
        if order.symbol in state.markets:
            state.markets[order.symbol].returning.append(order)
    closed.sort(key=lambda order: (order.update_time_ms, order.order_id))
    user.closed.extend(order.order_id for order in closed)
    while len(user.closed) > MAX_CLOSED_ORDERS:
        state.forget_order(user, user.closed.popleft())


def _index_algos(state: ExchangeState, user: AccountState) -> None:
    for algo_id in sorted(user.algos):
        algo = user.algos.pop(algo_id)
        user.algos[algo_id] = algo
        user.algo_by_client_id[algo.client_algo_id] = algo_id
        if algo.is_open:
            user.open_algos[algo_id] = algo
            if algo.symbol in state.markets:
                state.markets[algo.symbol].waiting[algo_id] = algo
        else:
            user.closed_algos.append(algo_id)
    while len(user.closed_algos) > MAX_CLOSED_ALGOS:
        state.forget_algo(user, user.closed_algos.popleft())
