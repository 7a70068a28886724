"""The account as requests return it: balances, positions, modes."""

from collections.abc import Sequence
from decimal import Decimal

from gateways.binance.account.instruments import row_of
from gateways.binance.protocol.classify import Failure
from gateways.binance.protocol.errors import RestError
from gateways.binance.protocol.translate import Json, decimal, flag
from gateways.binance.rest.client import RestClient
from gateways.wire.messages import Balance, PositionReport


class Account:
    """Balances, positions and modes from REST."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._mode_events = 0
        self.account_id = ""
        """The exchange's name of the account, from the balances."""
        self.multi_assets: bool | None = None
        """The newest asset mode; None while it is not known."""

    def on_asset_mode(self, is_multi: bool) -> None:
        """The exchange reported a change of the mode."""
        self._mode_events += 1
        self.multi_assets = is_multi

    async def modes(self) -> tuple[bool, bool]:
        """Hedge mode, multi-assets margin."""
        events = self._mode_events
        answer = await self._rest.row("accountConfig", {}, 5)
        if "dualSidePosition" not in answer:
            raise RestError(Failure("transient", 0, "GET accountConfig: the answer does not say the mode"))
        hedge, multi_assets = flag(answer.get("dualSidePosition")), flag(answer.get("multiAssetsMargin"))
        if self.multi_assets is None or events == self._mode_events:
            self.multi_assets = multi_assets
        return hedge, self.multi_assets

    async def mark_price(self, symbol: str) -> Decimal:
        """The current mark price."""
        answer = await self._rest.public("premiumIndex", {"symbol": symbol}, 1)
        price = decimal(answer.get("markPrice")) if isinstance(answer, dict) else decimal(None)
        if price <= 0:
            raise RestError(Failure("transient", 0, f"GET premiumIndex: no mark price of {symbol}"))
        return price

    async def balances(self) -> tuple[Balance, ...]:
        """Assets with a balance."""
        rows = await self._rest.rows("balance", {}, 5, version=3)
        self.account_id = next((str(row["accountAlias"]) for row in rows if row.get("accountAlias")), "")
        found = [
            Balance(
                str(row.get("asset", "")),
                decimal(row.get("balance")),
                decimal(row.get("crossWalletBalance")),
                decimal(row.get("availableBalance")),
            )
            for row in rows
        ]
        return tuple(one for one in found if one.wallet or one.cross_wallet or one.available)

    async def positions(self, symbols: Sequence[str]) -> tuple[PositionReport, ...]:
        """At least one row for each symbol: the exchange omits flat symbols, which are returned with quantity
        0."""
        rows = await self._rest.rows("positionRisk", {}, 5, version=3)
        configs = await self._rest.signed("symbolConfig", {}, 5)
        found = [_position(row, configs) for row in rows if row.get("symbol") in symbols]
        flat = set(symbols) - {one.symbol for one in found}
        found += [_position({"symbol": symbol}, configs) for symbol in sorted(flat)]
        return tuple(found)


def _position(row: dict[str, Json], configs: Json) -> PositionReport:
    symbol = str(row.get("symbol"))
    margin = str(row_of(configs, symbol).get("marginType", "")).lower()
    return PositionReport(
        symbol=symbol,
        position_side=str(row.get("positionSide") or "BOTH"),
        qty_base=decimal(row.get("positionAmt")),
        entry_price=decimal(row.get("entryPrice")),
        unrealised_pnl=decimal(row.get("unRealizedProfit")),
        margin_type="cross" if margin == "crossed" else margin,
        isolated_wallet=decimal(row.get("isolatedWallet")),
        mark_price=decimal(row.get("markPrice")) or None,
        liquidation_price=decimal(row.get("liquidationPrice")) or None,
    )
