from gateways.binance.streams.backoff import SETTLED_SECONDS, Backoff


def middle() -> float:
    return 0.5


def test_attempts_that_fail_wait_ever_longer_up_to_half_a_minute() -> None:
    backoff = Backoff(middle)
    waits = [backoff.after() for _ in range(12)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == 30.0
    assert Backoff(lambda: 1.0).delay(99) == 45.0


def test_after_a_good_spell_it_begins_anew_however_often_the_exchange_has_died() -> None:
    backoff = Backoff(middle)
    for _ in range(10):
        waits = [backoff.after(SETTLED_SECONDS), *(backoff.after() for _ in range(3))]
        assert waits == [0.2, 0.4, 0.8, 1.6]


def test_a_short_spell_is_no_good_one() -> None:
    backoff = Backoff(middle)
    waits = [backoff.after(SETTLED_SECONDS - 0.1) for _ in range(4)]
    assert waits == [0.2, 0.4, 0.8, 1.6]
