import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.notifications.keys import TelegramKeysError, load_telegram_keys
from engine.notifications.model import LEVELS, Notification
from engine.notifications.queue import NotificationQueue

TOKEN = "123456:AbCdEfGh"


def keys_file(folder: Path, text: str) -> Path:
    path = folder / "telegram_keys"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "text",
    [
        f"bot_token={TOKEN}\nchat_id=-42\n",
        f"# mine\n bot_token = '{TOKEN}'  # from BotFather\n\nchat_id = -42",
        f"token={TOKEN}\nchat_id=-42",
        f"{TOKEN}\n-42\n",
    ],
)
def test_keys_are_read_and_not_shown(tmp_path: Path, text: str):
    keys = load_telegram_keys([tmp_path / "absent", keys_file(tmp_path, text)])
    assert (keys.token, keys.chat_id) == (TOKEN, -42)
    assert TOKEN not in repr(keys)
    assert keys.user_ids == frozenset()


def test_the_people_who_may_command_are_named_with_commas(tmp_path: Path):
    keys = load_telegram_keys([keys_file(tmp_path, f"bot_token={TOKEN}\nchat_id=-42\nuser_ids = 7, 8")])
    assert keys.user_ids == {7, 8}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chat_id=1", "has no bot_token"),
        ("bot_token=nonsense\nchat_id=1", "has no bot_token"),
        (f"bot_token={TOKEN}", "has no chat_id"),
        (f"bot_token={TOKEN}\nchat_id=me", "has no chat_id"),
        (f"bot_token={TOKEN}\nchat_id=1\nuser_ids=1;2", "user_ids must be integers separated by commas"),
        ("", "has no bot_token"),
    ],
)
def test_a_bad_key_file_is_one_sentence_without_the_key(tmp_path: Path, text: str, sentence: str):
    with pytest.raises(TelegramKeysError, match=sentence) as caught:
        load_telegram_keys([keys_file(tmp_path, text)])
    assert TOKEN not in str(caught.value)


def test_a_missing_key_file_is_named(tmp_path: Path):
    with pytest.raises(
        TelegramKeysError, match=r"there is no .*vault.telegram_keys, nothing goes to Telegram"
    ):
        load_telegram_keys([tmp_path / "vault" / "telegram_keys"])


@pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")
def test_a_key_file_others_can_read_is_refused(tmp_path: Path):
    path = keys_file(tmp_path, f"bot_token={TOKEN}\nchat_id=1")
    path.chmod(0o644)
    with pytest.raises(TelegramKeysError, match="chmod 600"):
        load_telegram_keys([path])


def test_equal_keys_within_the_window_are_taken_once():
    queue = NotificationQueue(500, repeat_after_ns=100)
    for now_ns in (0, 50, 99, 100, 150, 250):
        queue.offer(Notification("info", str(now_ns), key="stale"), now_ns)
    queue.offer(Notification("info", "other", key="gap"), 60)
    assert queue.waiting == 4
    texts = [found.text for found in (*queue.take(3), *queue.take(3), *queue.take(3))]
    assert texts == ["0", "100", "250", "other"]
    assert queue.repeats == 3


@given(st.lists(st.sampled_from(LEVELS), max_size=200), st.integers(1, 20))
def test_an_overflow_drops_the_lowest_and_oldest_first(levels: list[str], capacity: int):
    queue = NotificationQueue(capacity, repeat_after_ns=100)
    offered = [Notification(level, str(number)) for number, level in enumerate(levels)]  # type: ignore[arg-type]
    kept: list[Notification] = []
    for one in offered:
        queue.offer(one, 0)
        kept.append(one)
        if len(kept) > capacity:
            lowest = min(LEVELS.index(other.level) for other in kept)
            victim = kept[-1] if lowest == 2 else next(k for k in kept if LEVELS.index(k.level) == lowest)
            if lowest > LEVELS.index(one.level):
                victim = one
            kept.remove(victim)
    assert queue.waiting == len(kept) <= capacity
    taken = []
    while found := queue.take(3):
        taken += found
    if len(kept) < len(offered):
        assert "dropped" in taken.pop(0).text
    assert taken == kept
    assert sum(queue.dropped.values()) == len(offered) - len(kept)
