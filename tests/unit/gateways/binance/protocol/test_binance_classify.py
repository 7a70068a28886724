"""One row for each thing the exchange, or the network, may say about a request."""

import pytest

from gateways.binance.protocol.classify import Failure, Hint, Kind, classify, network_failure, refusal_of
from gateways.wire.words import Refusal

UNKNOWN_503 = "Unknown error, please check your request or try again later."
THROTTLED = "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."
INTERNAL = "Internal error; unable to process your request. Please try again."
SUBMIT, CANCEL, AMEND, READ = Kind.SUBMIT, Kind.CANCEL, Kind.AMEND, Kind.READ

ROWS = [
    (SUBMIT, 200, 0, "", None, None),
    (CANCEL, 200, 200, "success", None, None),
    (SUBMIT, 400, -2019, "Margin is insufficient.", "refused", Hint.NONE),
    (SUBMIT, 400, -2021, "Order would immediately trigger.", "refused", Hint.NONE),
    (SUBMIT, 400, -2022, "ReduceOnly Order is rejected.", "refused", Hint.NONE),
    (SUBMIT, 400, -4120, "", "refused", Hint.NONE),
    (SUBMIT, 400, -4164, "", "refused", Hint.RULES),
    (SUBMIT, 400, -5021, "", "refused", Hint.NONE),
    (SUBMIT, 400, -5022, "", "refused", Hint.NONE),
    (SUBMIT, 400, -1102, "", "refused", Hint.NONE),
    (SUBMIT, 400, -1022, "", "refused", Hint.NONE),
    (SUBMIT, 400, -1111, "", "refused", Hint.RULES),
    (SUBMIT, 400, -4014, "", "refused", Hint.RULES),
    (SUBMIT, 401, -2015, "", "refused", Hint.KEYS),
    (SUBMIT, 401, -2014, "", "refused", Hint.KEYS),
    (SUBMIT, 404, -5000, "", "refused", Hint.NONE),
    (SUBMIT, 451, 0, "restricted location", "refused", Hint.NONE),
    (SUBMIT, 403, 0, "<html>", "transient", Hint.BLOCKED),
    (SUBMIT, 400, -1021, "", "transient", Hint.CLOCK),
    (SUBMIT, 400, -5028, "", "transient", Hint.CLOCK),
    (SUBMIT, 400, -4116, "", "unknown", Hint.RESOLVE),
    (SUBMIT, 408, -1007, "", "unknown", Hint.RESOLVE),
    (SUBMIT, 400, -1006, "", "unknown", Hint.RESOLVE),
    (SUBMIT, 503, 0, UNKNOWN_503, "unknown", Hint.RESOLVE),
    (SUBMIT, 503, -1000, UNKNOWN_503, "unknown", Hint.RESOLVE),
    (SUBMIT, 503, 0, "Service Unavailable.", "transient", Hint.NONE),
    (SUBMIT, 503, -1008, THROTTLED, "transient", Hint.NONE),
    (SUBMIT, 500, -1001, INTERNAL, "transient", Hint.NONE),
    (SUBMIT, 502, 0, "<html>Bad Gateway</html>", "unknown", Hint.RESOLVE),
    (SUBMIT, 400, -7777, "a code nobody documented", "unknown", Hint.RESOLVE),
    (SUBMIT, 400, 0, "<html>", "unknown", Hint.RESOLVE),
    (SUBMIT, 302, 0, "", "unknown", Hint.RESOLVE),
    (SUBMIT, 429, -1015, "Too many new orders", "transient", Hint.LIMITED),
    (SUBMIT, 429, -1003, "Too many requests", "transient", Hint.LIMITED),
    (SUBMIT, 418, -1003, "banned", "transient", Hint.BANNED),
    (CANCEL, 400, -2011, "Unknown order sent.", "not_found", Hint.RESOLVE),
    (CANCEL, 503, 0, UNKNOWN_503, "unknown", Hint.RESOLVE),
    (AMEND, 400, -5027, "No need to modify the order.", None, None),
    (AMEND, 400, -2013, "Order does not exist.", "not_found", Hint.RESOLVE),
    (Kind.SETTING, 400, -4046, "No need to change margin type.", None, None),
    (Kind.SETTING, 400, -4059, "No need to change position side.", None, None),
    (READ, 400, -2013, "Order does not exist.", "not_found", Hint.RESOLVE),
    (READ, 503, 0, UNKNOWN_503, "transient", Hint.RESOLVE),
    (READ, 400, -7777, "", "transient", Hint.RESOLVE),
]


@pytest.mark.parametrize(("kind", "status", "code", "text", "outcome", "hint"), ROWS)
def test_an_answer_says_done_not_done_or_nobody_knows(
    kind: Kind, status: int, code: int, text: str, outcome: str | None, hint: Hint | None
):
    failure = classify(kind, status, code, text)
    if outcome is None:
        assert failure is None
    else:
        assert failure is not None
        assert (failure.outcome, failure.hint, failure.code) == (outcome, hint, code)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_request_of_which_no_byte_left_was_not_done(kind: Kind):
    assert network_failure(kind, "refused", bytes_left=False) == Failure("transient", 0, "refused")


@pytest.mark.parametrize("kind", [SUBMIT, CANCEL, AMEND, Kind.SETTING])
def test_a_write_without_an_answer_is_unknown(kind: Kind):
    assert network_failure(kind, "cut", bytes_left=True).outcome == "unknown"


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (502, "\n<html><head><title>502 Bad Gateway</title></head>", "502 Bad Gateway, an HTML page"),
        (403, "<!DOCTYPE html><p>Request blocked.", "403 Forbidden, an HTML page"),
        (599, "<html>", "599 HTTP status, an HTML page"),
        (503, "Service Unavailable.", "Service Unavailable."),
        (502, "", "HTTP 502"),
    ],
)
def test_a_page_instead_of_an_answer_is_told_by_its_status(status: int, said: str, told: str):
    failure = classify(Kind.SUBMIT, status, 0, said)
    assert failure is not None
    assert failure.message == told


def test_a_read_without_an_answer_proves_nothing_and_changed_nothing():
    assert network_failure(READ, "cut", bytes_left=True).outcome == "transient"


@pytest.mark.parametrize(
    ("codes", "refusal"),
    [
        ((0, 200), Refusal.NONE),
        ((-2021,), Refusal.WOULD_TRIGGER),
        ((-2022, -4118), Refusal.NOTHING_TO_REDUCE),
        ((-1111, -4003, -4004, -4005, -4013, -4014, -4023, -4164), Refusal.OFF_GRID),
        ((-2018, -2019), Refusal.MARGIN),
        ((-1003, -1015), Refusal.RATE),
        ((-1022, -2014, -2015), Refusal.KEY),
        ((-1121, -4061, -4088, -4109, -4140, -4141, -4142, -4402, -4403), Refusal.NOT_ALLOWED),
        ((-1100, -1102, -1106, -1199), Refusal.INVALID),
        ((-1000, -1099, -1200, -2010, -4045, -9999), Refusal.OTHER),
    ],
)
def test_an_engine_is_told_why_in_a_word_that_is_no_code(codes: tuple[int, ...], refusal: Refusal):
    assert {refusal_of(code) for code in codes} == {refusal}
