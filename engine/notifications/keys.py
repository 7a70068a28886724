"""Telegram's token and chat, from `vault/telegram_keys`. Format: see `vault/telegram_keys.example`."""

import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PLACEHOLDER = ":put-the-token-here"
"""The end of the token in vault/telegram_keys.example."""


class TelegramKeysError(Exception):
    """The keys cannot be used; one sentence that contains no part of them."""


@dataclass(frozen=True, slots=True)
class TelegramKeys:
    """`token` is never printed. Messages and commands are those of the chat `chat_id` only."""

    token: str = field(repr=False)
    chat_id: int
    user_ids: frozenset[int] = frozenset()
    """Users who may send commands. In a private chat the other person's id is the chat's."""

    def may_command(self, user_id: int) -> bool:
        """Whether that sender's commands are carried out."""
        return user_id in self.user_ids or (not self.user_ids and user_id == self.chat_id)


def load_telegram_keys(paths: Sequence[Path]) -> TelegramKeys:
    """Keys from the first of `paths` that exists. Lines are name=value, `#` begins a comment.

    A file of two bare lines, token and chat id, is accepted too.
    """
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise TelegramKeysError(
            f"there is no {paths[0]}, nothing goes to Telegram; the format is in vault/telegram_keys.example"
        )
    try:
        mode, text = path.stat().st_mode, path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise TelegramKeysError(f"{path} cannot be read as text") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TelegramKeysError(f"{path} can be read by others; run: chmod 600 {shlex.quote(str(path))}")
    values = _values(text)
    token, chat = values.get("bot_token", ""), values.get("chat_id", "")
    if token.endswith(_PLACEHOLDER):
        raise TelegramKeysError(f"{path} still has the example's bot_token; put the real one there")
    if not _looks_like_a_token(token):
        raise TelegramKeysError(f"{path} has no bot_token of the form number:letters")
    try:
        chat_id = int(chat)
    except ValueError:
        raise TelegramKeysError(f"{path} has no chat_id that is an integer") from None
    try:
        users = frozenset(int(one) for one in values.get("user_ids", "").split(",") if one.strip())
    except ValueError:
        raise TelegramKeysError(f"{path}: user_ids must be integers separated by commas") from None
    return TelegramKeys(token, chat_id, users)


def _values(text: str) -> dict[str, str]:
    lines = [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]
    if len(lines) == 2 and not any("=" in line for line in lines):
        return {"bot_token": lines[0], "chat_id": lines[1]}
    values = {}
    for line in lines:
        name, _, value = line.partition("=")
        values[name.strip().lower()] = value.strip().strip("\"'")
    if "token" in values:
        values.setdefault("bot_token", values["token"])
    return values


def _looks_like_a_token(token: str) -> bool:
    number, _, rest = token.partition(":")
    return number.isdecimal() and bool(rest) and token.isascii() and token.isprintable() and " " not in token
