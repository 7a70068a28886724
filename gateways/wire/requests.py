"""Groups of messages by what they are for."""

from gateways.wire.messages import (
    AmendOrder,
    CancelOrder,
    Heartbeat,
    KlinesReply,
    QueryOrder,
    Reply,
    RequestKlines,
    RequestSnapshot,
    SetLeverage,
    Snapshot,
    SubmitOrder,
    Subscribe,
)

Answer = Reply | Snapshot | KlinesReply
"""What a gateway answers a request with; `request_id` names it."""

Request = (
    Subscribe
    | SubmitOrder
    | CancelOrder
    | AmendOrder
    | QueryOrder
    | RequestSnapshot
    | RequestKlines
    | SetLeverage
    | Heartbeat
)
"""What an admitted engine may send."""
