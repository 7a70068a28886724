"""Fields of every answer, as the exchange's documentation lists them for each endpoint (August 2026).

The lists are those of the schema behind Binance's own SDK. What is added was measured on the live exchange
(`LIVE_TOO`). What only trailing orders have in GET order, activation price and callback rate, is left out.
"""

ORDER_ANSWER = (
    "clientOrderId cumQty executedQty orderId origQty price reduceOnly side positionSide status stopPrice "
    "closePosition symbol timeInForce type origType updateTime workingType priceProtect priceMatch "
    "selfTradePreventionMode goodTillDate"
)
ORDER_QUERY = (
    "avgPrice clientOrderId cumQuote executedQty orderId origQty origType price reduceOnly side positionSide "
    "status stopPrice closePosition symbol time timeInForce type updateTime workingType priceProtect "
    "priceMatch selfTradePreventionMode goodTillDate"
)
ALGO_COMMON = (
    "algoId clientAlgoId algoType orderType symbol side positionSide timeInForce quantity algoStatus "
    "triggerPrice price icebergQuantity selfTradePreventionMode workingType priceMatch closePosition "
    "priceProtect reduceOnly createTime updateTime triggerTime goodTillDate"
)
ALGO_LISTED = (
    f"{ALGO_COMMON} actualOrderId actualPrice tpTriggerPrice tpPrice slTriggerPrice slPrice tpOrderType"
)
TOTALS = (
    "totalInitialMargin totalMaintMargin totalWalletBalance totalUnrealizedProfit totalMarginBalance "
    "totalPositionInitialMargin totalOpenOrderInitialMargin totalCrossWalletBalance totalCrossUnPnl "
    "availableBalance maxWithdrawAmount assets positions"
)
ASSET = (
    "asset walletBalance unrealizedProfit marginBalance maintMargin initialMargin positionInitialMargin "
    "openOrderInitialMargin crossWalletBalance crossUnPnl availableBalance maxWithdrawAmount updateTime"
)
BALANCE = (
    "accountAlias asset balance crossWalletBalance crossUnPnl availableBalance maxWithdrawAmount "
    "marginAvailable updateTime"
)
DAY_TICKER = (
    "symbol priceChange priceChangePercent weightedAvgPrice lastPrice lastQty openPrice highPrice lowPrice "
    "volume quoteVolume openTime closeTime firstId lastId count"
)
TRADE = "id price qty quoteQty time isBuyerMaker isRPITrade"
DEPTH = "lastUpdateId E T bids asks"
DONE = "code msg"

ANSWERS = {
    "GET /fapi/v1/time": "serverTime",
    "GET /fapi/v1/exchangeInfo": "exchangeFilters rateLimits serverTime assets symbols timezone",
    "GET /fapi/v1/exchangeInfo rateLimits": "interval intervalNum limit rateLimitType",
    "GET /fapi/v1/exchangeInfo assets": "asset marginAvailable autoAssetExchange",
    "GET /fapi/v1/exchangeInfo symbols": (
        "symbol pair contractType deliveryDate onboardDate status maintMarginPercent requiredMarginPercent "
        "baseAsset quoteAsset marginAsset pricePrecision quantityPrecision baseAssetPrecision quotePrecision "
        "underlyingType underlyingSubType triggerProtect filters orderTypes timeInForce liquidationFee "
        "marketTakeBound"
    ),
    "GET /fapi/v1/depth": DEPTH,
    "GET /fapi/v1/rpiDepth": DEPTH,
    "GET /fapi/v1/trades": TRADE,
    "GET /fapi/v1/historicalTrades": TRADE,
    "GET /fapi/v1/aggTrades": "a p q nq f l T m",
    "GET /fapi/v1/ticker/24hr": DAY_TICKER,
    "GET /fapi/v1/ticker/price": "symbol price time",
    "GET /fapi/v2/ticker/price": "symbol price time",
    "GET /fapi/v1/ticker/bookTicker": "symbol bidPrice bidQty askPrice askQty time",
    "GET /fapi/v1/premiumIndex": (
        "symbol markPrice indexPrice estimatedSettlePrice lastFundingRate interestRate nextFundingTime time"
    ),
    "GET /fapi/v1/openInterest": "openInterest symbol time",
    "GET /fapi/v1/fundingRate": "symbol fundingRate fundingTime markPrice rateType",
    "GET /fapi/v1/constituents": "symbol time constituents",
    "GET /fapi/v1/constituents constituents": "exchange symbol price weight",
    "GET /fapi/v1/symbolAdlRisk": "symbol adlRisk updateTime",
    "GET /fapi/v1/apiTradingStatus": "indicators updateTime",
    "GET /fapi/v1/tradingSchedule": "updateTime marketSchedules",
    "POST /fapi/v1/order": ORDER_ANSWER,
    "POST /fapi/v1/order/test": f"{ORDER_ANSWER} avgPrice cumQuote",
    "PUT /fapi/v1/order": f"{ORDER_ANSWER} pair modifyId",
    "GET /fapi/v1/order": ORDER_QUERY,
    "GET /fapi/v1/openOrder": ORDER_QUERY,
    "GET /fapi/v1/openOrders": ORDER_QUERY,
    "GET /fapi/v1/orderAmendment": "amendmentId symbol pair orderId clientOrderId time amendment",
    "GET /fapi/v1/orderAmendment amendment": "price origQty count modifyId",
    "GET /fapi/v1/orderAmendment amendment price": "before after",
    "DELETE /fapi/v1/order": ORDER_ANSWER,
    "POST /fapi/v1/batchOrders": ORDER_ANSWER,
    "DELETE /fapi/v1/batchOrders": ORDER_ANSWER,
    "DELETE /fapi/v1/allOpenOrders": DONE,
    "POST /fapi/v1/countdownCancelAll": "symbol countdownTime",
    "GET /fapi/v1/allOrders": f"{ORDER_QUERY} pair cumBase",
    "GET /fapi/v1/userTrades": (
        "buyer commission commissionAsset id maker orderId price qty quoteQty baseQty marginAsset "
        "realizedPnl side positionSide symbol pair time"
    ),
    "POST /fapi/v1/algoOrder": f"{ALGO_COMMON} activatePrice callbackRate",
    "GET /fapi/v1/algoOrder": f"{ALGO_COMMON} actualOrderId actualPrice actualType actualQty tpOrderType",
    "GET /fapi/v1/openAlgoOrders": ALGO_LISTED,
    "GET /fapi/v1/allAlgoOrders": ALGO_LISTED,
    "DELETE /fapi/v1/algoOrder": "algoId clientAlgoId code msg",
    "DELETE /fapi/v1/algoOpenOrders": DONE,
    "GET /fapi/v3/account": TOTALS,
    "GET /fapi/v3/account assets": ASSET,
    "GET /fapi/v3/account positions": (
        "symbol positionSide positionAmt unrealizedProfit isolatedMargin notional isolatedWallet "
        "initialMargin maintMargin updateTime"
    ),
    "GET /fapi/v2/account": (
        f"{TOTALS} feeTier feeBurn canTrade canDeposit canWithdraw updateTime multiAssetsMargin tradeGroupId"
    ),
    "GET /fapi/v2/account assets": f"{ASSET} marginAvailable",
    "GET /fapi/v2/account positions": (
        "symbol initialMargin maintMargin unrealizedProfit positionInitialMargin openOrderInitialMargin "
        "leverage isolated entryPrice maxNotional bidNotional askNotional positionSide positionAmt updateTime"
    ),
    "GET /fapi/v3/balance": BALANCE,
    "GET /fapi/v2/balance": BALANCE,
    "GET /fapi/v3/positionRisk": (
        "symbol positionSide positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit "
        "liquidationPrice isolatedMargin notional marginAsset isolatedWallet initialMargin maintMargin "
        "positionInitialMargin openOrderInitialMargin adl bidNotional askNotional updateTime"
    ),
    "GET /fapi/v2/positionRisk": (
        "entryPrice breakEvenPrice marginType isAutoAddMargin isolatedMargin leverage liquidationPrice "
        "markPrice maxNotionalValue positionAmt notional isolatedWallet symbol unRealizedProfit positionSide "
        "updateTime"
    ),
    "GET /fapi/v1/accountConfig": (
        "feeTier canTrade canDeposit canWithdraw dualSidePosition updateTime multiAssetsMargin tradeGroupId"
    ),
    "GET /fapi/v1/symbolConfig": "symbol marginType isAutoAddMargin leverage maxNotionalValue",
    "GET /fapi/v1/adlQuantile": "symbol adlQuantile",
    "GET /fapi/v1/leverageBracket": "symbol notionalCoef brackets",
    "GET /fapi/v1/leverageBracket brackets": (
        "bracket initialLeverage notionalCap notionalFloor maintMarginRatio cum"
    ),
    "GET /fapi/v1/commissionRate": "symbol makerCommissionRate takerCommissionRate rpiCommissionRate",
    "GET /fapi/v1/income": "symbol incomeType income asset info time tranId tradeId",
    "GET /fapi/v1/rateLimit/order": "rateLimitType interval intervalNum limit",
    "GET /fapi/v1/feeBurn": "feeBurn",
    "POST /fapi/v1/feeBurn": DONE,
    "GET /fapi/v1/positionSide/dual": "dualSidePosition",
    "GET /fapi/v1/multiAssetsMargin": "multiAssetsMargin",
    "POST /fapi/v1/leverage": "leverage maxNotionalValue symbol",
    "POST /fapi/v1/marginType": DONE,
    "POST /fapi/v1/positionMargin": "amount code msg type",
    "GET /fapi/v1/positionMargin/history": "symbol type deltaType amount asset time positionSide",
    "POST /fapi/v1/listenKey": "listenKey",
    "PUT /fapi/v1/listenKey": "listenKey",
}
LIVE_TOO = {
    "GET /fapi/v1/exchangeInfo": "futuresType",
    "GET /fapi/v1/exchangeInfo symbols": "maxMoveOrderLimit permissionSets",
    "GET /fapi/v1/ticker/bookTicker": "lastUpdateId",
}


def fields_of(answer: str) -> set[str]:
    """What an answer (`METHOD /path`, or one part of it) may and must hold."""
    return set(ANSWERS[answer].split()) | set(LIVE_TOO.get(answer, "").split())
