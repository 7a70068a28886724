from collections.abc import Callable

import pytest

from gateways.simulator.api.access.rate_limits import RateLimitError, RateLimits, RateLimitSettings

MINUTE_MS = 60_000
NOW_MS = 1_700_000_040_000 // MINUTE_MS * MINUTE_MS


def refused(action: Callable[..., object], *args: object):
    with pytest.raises(RateLimitError) as caught:
        action(*args)
    return caught.value


def test_weight_is_counted_in_fixed_minutes():
    limits = RateLimits(RateLimitSettings(weight_1m=10))
    limits.take_weight("a", 10, NOW_MS + 59_000)
    error = refused(limits.take_weight, "a", 1, NOW_MS + 59_500)
    assert (error.code, error.http_status, error.retry_after_s) == (-1003, 429, 1)
    limits.take_weight("a", 10, NOW_MS + MINUTE_MS)
    assert limits.weight_used("a", NOW_MS + MINUTE_MS) == 10


def test_addresses_have_their_own_weight():
    limits = RateLimits(RateLimitSettings(weight_1m=1))
    limits.take_weight("a", 1, NOW_MS)
    limits.take_weight("b", 1, NOW_MS)


def test_insisting_leads_to_a_ban_that_ends():
    limits = RateLimits(RateLimitSettings(weight_1m=0, ban_after=2, ban_ms=5000))
    assert [refused(limits.take_weight, "a", 1, NOW_MS).http_status for _ in range(4)] == [429, 429, 418, 418]
    error = refused(limits.take_weight, "a", 0, NOW_MS + 1000)
    assert error.retry_after_s == 4
    assert str(NOW_MS + 5000) in error.message
    assert refused(limits.take_weight, "a", 1, NOW_MS + MINUTE_MS).http_status == 429


def test_without_the_knob_nobody_is_banned():
    limits = RateLimits(RateLimitSettings(weight_1m=0, ban_after=0))
    assert {refused(limits.take_weight, "a", 1, NOW_MS).http_status for _ in range(200)} == {429}


def test_orders_have_two_windows_and_belong_to_the_account():
    limits = RateLimits(RateLimitSettings(orders_10s=5, orders_1m=6))
    limits.take_orders("1", 5, 1, NOW_MS)
    error = refused(limits.take_orders, "1", 1, 1, NOW_MS + 1)
    assert (error.code, error.http_status, error.retry_after_s) == (-1015, 429, 10)
    limits.take_orders("1", 5, 5, NOW_MS + 10_000)
    assert limits.orders_used("1", NOW_MS + 10_000) == (5, 6)
    assert refused(limits.take_orders, "1", 1, 1, NOW_MS + 20_000).retry_after_s == 40
    limits.take_orders("2", 1, 1, NOW_MS + 20_000)


def test_funding_has_a_pool_of_its_own():
    limits = RateLimits(RateLimitSettings(weight_1m=1, funding_5m=2))
    limits.take_funding("a", NOW_MS)
    limits.take_funding("a", NOW_MS)
    assert refused(limits.take_funding, "a", NOW_MS).http_status == 429
    assert limits.weight_used("a", NOW_MS) == 0
