"""Every error the exchange returns, with the code and message of the live exchange.

`ApiError` has the code, the message and the HTTP status; each function below makes one row of the
documented table (reference: the exchange's error code page).
"""

from decimal import Decimal


class ApiError(Exception):
    """A request the exchange refuses. `http_status` is 400 unless the table says otherwise."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.http_status = http_status


def unavailable(why: str) -> ApiError:
    """-1001 with 503: data is temporarily unavailable; the exchange's own words, and the reason."""
    message = f"Internal error; unable to process your request. Please try again. ({why})"
    return ApiError(-1001, message, 503)


MESSAGES: dict[int, str] = {
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1121: "Invalid symbol.",
    -1023: "Start time is greater than end time.",
    -1127: "More than the allowed interval between startTime and endTime.",
    -1128: "Combination of optional parameters invalid.",
    -1111: "Precision is over the maximum defined for this asset.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2018: "Balance is insufficient.",
    -2019: "Margin is insufficient.",
    -2021: "Order would immediately trigger.",
    -2022: "ReduceOnly Order is rejected.",
    -2023: "User in liquidation mode now.",
    -2024: "Position is not sufficient.",
    -2025: "Reach max open order limit.",
    -2026: "This OrderType is not supported when reduceOnly.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4001: "Price less than 0.",
    -4002: "Price greater than max price.",
    -4003: "Quantity less than or equal to zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4006: "Stop price less than zero.",
    -4007: "Stop price greater than max price.",
    -4013: "Price less than min price.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id is not valid.",
    -4023: "Quantity not increased by step size.",
    -4032: "Exceed maximum cancel order size.",
    -4045: "Reach max stop order limit.",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4049: "Add margin only support for isolated position.",
    -4050: "Cross balance insufficient.",
    -4051: "Isolated balance insufficient.",
    -4054: "Cannot add position margin: position is 0.",
    -4055: "Amount must be positive.",
    -4059: "No need to change position side.",
    -4060: "Invalid position side.",
    -4061: "Order's position side does not match user's setting.",
    -4062: "Invalid or improper reduceOnly value.",
    -4067: "Position side cannot be changed if there exists open orders.",
    -4068: "Position side cannot be changed if there exists position.",
    -4082: "Invalid number of batch place orders.",
    -4116: "ClientOrderId is duplicated.",
    -4117: "Stop order is in triggering process. Please try again later.",
    -4118: "ReduceOnly Order Failed. Please check your existing position and open orders.",
    -4120: "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    -4130: "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    -4135: "Invalid activation price.",
    -4137: "Quantity must be zero with closePosition equals true.",
    -4138: "Reduce only must be true with closePosition equals true.",
    -4140: "Invalid symbol status for opening position.",
    -4141: "Symbol is closed.",
    -4161: "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
    -4167: "Unable to adjust to Multi-Assets mode with symbols of USD-M Futures under isolated-margin mode.",
    -4168: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    -4170: "Unable to adjust Multi-Assets Mode with open orders in USD-M Futures.",
    -4171: "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.",
    -4509: "Time in Force (TIF) GTE can only be used with open positions or open orders. "
    "Please ensure that open orders or positions are available.",
    -5021: "Due to the order could not be filled immediately, the FOK order has been rejected. "
    "The order will not be recorded in the order history",
    -5022: "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history",
    -5024: "Symbol is not in trading status. Order amendment is not permitted.",
    -5025: "Only limit order is supported.",
    -5026: "Exceed maximum modify order limit.",
    -5027: "No need to modify the order.",
    -5028: "Timestamp for this request is outside of the ME recvWindow.",
    -5037: "Invalid price match",
    -5038: "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT",
    -5039: "Invalid self trade prevention mode",
    -5040: "The goodTillDate timestamp must be greater than the current time plus 600 seconds and "
    "smaller than 253402300799000",
    -5041: "No depth matches this BBO order",
    -5043: "A pending modification already exists for this order.",
    -5047: "The reduceOnly parameter does not match the original order.",
}


def refusal(code: int) -> ApiError:
    """Return the error of a code whose message has no variable part."""
    return ApiError(code, MESSAGES[code])


def missing_parameter(name: str) -> ApiError:
    """-1102: a mandatory parameter is absent, empty or not of its type."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def parameter_not_required(name: str) -> ApiError:
    """-1106: a parameter that this kind of request must not have."""
    return ApiError(-1106, f"Parameter '{name}' sent when not required.")


def invalid_parameter(name: str) -> ApiError:
    """-1130: a parameter with a value out of range."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


def price_too_high(limit: Decimal) -> ApiError:
    """-4016: a limit price above mark price times multiplierUp."""
    return ApiError(-4016, f"Limit price can't be higher than {limit}.")


def price_too_low(limit: Decimal) -> ApiError:
    """-4024: a limit price below mark price times multiplierDown."""
    return ApiError(-4024, f"Limit price can't be lower than {limit}.")


def invalid_leverage(leverage: int) -> ApiError:
    """-4028: a leverage outside 1 to the symbol's maximum."""
    return ApiError(-4028, f"Leverage {leverage} is not valid")


def notional_too_small(minimum: Decimal) -> ApiError:
    """-4164: an order below the minimum notional that is not reduce-only."""
    return ApiError(
        -4164, f"Order's notional must be no smaller than {minimum:f} (unless you choose reduce only)."
    )


def close_position_unsupported(order_type: str) -> ApiError:
    """-4136: closePosition with a type or direction that does not support it."""
    return ApiError(-4136, f"Target strategy invalid for orderType {order_type},closePosition true")
