"""The tables: readable views of the journal, for SQLite and PostgreSQL.

Everything in them can be dropped and made again. Money and quantities are exact: text in SQLite, numeric in
PostgreSQL. Times are integer nanoseconds UTC.
"""

from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

SCHEMA = 4


class Exact(TypeDecorator[Decimal]):
    """A Decimal that comes back as it went in."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal]:
        """Text where the database has no exact numbers."""
        kind: TypeEngine[Decimal] = sa.String() if dialect.name == "sqlite" else sa.Numeric()  # type: ignore[assignment]  # text stands for a number
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> object:
        """Plain digits as text."""
        return format(value, "f") if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  # the base class calls it so
        """Back to Decimal."""
        return None if value is None else Decimal(str(value))


class Words(TypeDecorator[str]):
    """Text of other people: PostgreSQL takes no NUL character, so none is stored anywhere."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the base class calls it so
        """With a sign in the place of each NUL."""
        return None if value is None else value.replace("\0", "\ufffd")


metadata = sa.MetaData()

progress = sa.Table(
    "progress",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("engine_id", sa.String(6), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("journal", sa.String, nullable=False),
)
"""One row: the last record applied, a digest of all up to it by which the journal is known again, and the
folder where the journal was."""

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("client_order_id", sa.String, primary_key=True),
    sa.Column("strategy", sa.String, nullable=False),
    sa.Column("symbol", sa.String, nullable=False, index=True),
    sa.Column("side", sa.String(4), nullable=False),
    sa.Column("order_type", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False, index=True),
    sa.Column("qty_base", Exact, nullable=False),
    sa.Column("filled_base", Exact, nullable=False),
    sa.Column("price", Exact, nullable=False),
    sa.Column("stop_price", Exact, nullable=False),
    sa.Column("average_price", Exact, nullable=False),
    sa.Column("reduce_only", sa.Boolean, nullable=False),
    sa.Column("is_exit", sa.Boolean, nullable=False),
    sa.Column("cause", sa.String, nullable=False),
    sa.Column("leg", sa.String, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("exchange_order_id", sa.BigInteger, nullable=False),
    sa.Column("intended_ns", sa.BigInteger, nullable=False, index=True),
    sa.Column("updated_ns", sa.BigInteger, nullable=False),
)

fills = sa.Table(
    "fills",
    metadata,
    sa.Column("symbol", sa.String, primary_key=True),
    sa.Column("trade_id", sa.BigInteger, primary_key=True),
    sa.Column("client_order_id", sa.String, nullable=False, index=True),
    sa.Column("strategy", sa.String, nullable=False),
    sa.Column("side", sa.String(4), primary_key=True),
    sa.Column("price", Exact, nullable=False),
    sa.Column("qty_base", Exact, nullable=False),
    sa.Column("fee", Exact, nullable=False),
    sa.Column("fee_asset", sa.String, nullable=False),
    sa.Column("realised_pnl", Exact, nullable=False),
    sa.Column("is_maker", sa.Boolean, nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False, index=True),
)

signals = sa.Table(
    "signals",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("strategy", sa.String, nullable=False),
    sa.Column("symbol", sa.String, nullable=False),
    sa.Column("timeframe_ns", sa.BigInteger, nullable=False),
    sa.Column("bar_open_time_ns", sa.BigInteger, nullable=False, index=True),
    sa.Column("enter_long", sa.Boolean, nullable=False),
    sa.Column("enter_short", sa.Boolean, nullable=False),
    sa.Column("exit_long", sa.Boolean, nullable=False),
    sa.Column("exit_short", sa.Boolean, nullable=False),
    sa.Column("tag", Words, nullable=False),
    sa.Column("signal_values", sa.String, nullable=False),
    sa.Column("price", sa.Float, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("fate", sa.String, nullable=False, index=True),
    sa.Column("rule", sa.String, nullable=False),
    sa.Column("detail", Words, nullable=False),
    sa.Column("client_order_ids", sa.String, nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
)

positions = sa.Table(
    "positions",
    metadata,
    sa.Column("strategy", sa.String, primary_key=True),
    sa.Column("symbol", sa.String, primary_key=True),
    sa.Column("qty_base", Exact, nullable=False),
    sa.Column("entry_price", Exact, nullable=False),
    sa.Column("realised_pnl", Exact, nullable=False),
    sa.Column("fees", Exact, nullable=False),
    sa.Column("fills", sa.Integer, nullable=False),
)
"""By our fills; strategy "" is the net position of a symbol."""

equity = sa.Table(
    "equity",
    metadata,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False, index=True),
    sa.Column("wallet_balance", Exact, nullable=False),
    sa.Column("realised_pnl", Exact, nullable=False),
    sa.Column("unrealised_pnl", Exact, nullable=False),
    sa.Column("fees", Exact, nullable=False),
)
