"""Facts for the risk manager in which all is well, and what a test wants otherwise."""

from decimal import Decimal

from engine.risk.facts.context import RiskContext
from engine.risk.facts.gates import AccountFacts, SymbolFacts

SYMBOL = "BTCUSDT"
ZERO = Decimal(0)


def account_facts(**changes: object) -> AccountFacts:
    """Every gate of the account is open."""
    fields: dict[str, object] = {
        "connected": True,
        "clock_set_back": False,
        "reconciled": True,
        "hedge_mode": False,
        "multi_assets": False,
        "keys_refused": "",
        "links_up": True,
        "requests_left": True,
        "clock_trouble": "",
        "journal_ok": True,
        "rebuild": "",
        "paused": "",
        "killed": "",
        "daily_pnl_quote": ZERO,
        "max_daily_loss_quote": None,
    }
    return AccountFacts(**(fields | changes))  # type: ignore[arg-type]


def symbol_facts(symbol: str = SYMBOL, **changes: object) -> SymbolFacts:
    """Every gate of the symbol is open."""
    fields: dict[str, object] = {
        "symbol": symbol,
        "quote_asset": "USDT",
        "money": "USDT",
        "status": "TRADING",
        "margin_mode": "cross",
        "unconfirmed_leverage": 0,
        "stop_refused": False,
        "other_engine": "",
        "book_fresh": True,
        "book_since": "",
        "overdue": "",
        "mark_known": True,
        "mark_stale": False,
    }
    return SymbolFacts(**(fields | changes))  # type: ignore[arg-type]


def risk_context(**changes: object) -> RiskContext:
    """A flat account; a change that is no field of the context is one of the facts of its gates."""
    account = {name: changes.pop(name) for name in AccountFacts.__struct_fields__ if name in changes}
    of_symbol = set(SymbolFacts.__struct_fields__) - {"symbol"}
    symbol = {name: changes.pop(name) for name in of_symbol if name in changes}
    fields: dict[str, object] = {
        "now_ns": 1_000,
        "account": account_facts(**account),
        "symbol": symbol_facts(**symbol),
        "strategy_running": True,
        "mark_price": Decimal(50_000),
        "reference_price": ZERO,
        "position_base": ZERO,
        "foreign_base": ZERO,
        "open_buy_base": ZERO,
        "open_sell_base": ZERO,
        "other_notional_quote": ZERO,
        "open_orders": 0,
        "equity_quote": Decimal(20_000),
    }
    return RiskContext(**(fields | changes))  # type: ignore[arg-type]
