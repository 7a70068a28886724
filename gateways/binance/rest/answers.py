"""Classifies answers and updates the request budget."""

from gateways.binance.protocol.answers import code_and_text, parse_json
from gateways.binance.protocol.classify import Failure, Kind, classify, network_failure
from gateways.binance.protocol.translate import Json
from gateways.binance.rest.http_connection import HttpAnswer
from gateways.binance.rest.request_budget import RequestBudget

_SHOWN_BYTES = 200


def judge(
    kind: Kind, answer: HttpAnswer, budget: RequestBudget, body: bytes | None = None
) -> tuple[Failure | None, Json]:
    """None and the JSON value when the request was done, else how it failed. `body` is the unpacked one."""
    budget.on_headers(answer.headers)
    content = answer.body if body is None else body
    row = parse_json(content)
    code, text = code_and_text(row)
    failure = classify(kind, answer.status, code, text or content[:_SHOWN_BYTES].decode("latin-1"))
    if failure is not None:
        budget.on_failure(failure, answer.headers, text)
    elif not isinstance(row, dict | list):
        # A page of something between us and the exchange, under status 200.
        failure = network_failure(kind, "the answer is not JSON", bytes_left=True)
    return failure, row
