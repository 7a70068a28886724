"""A notification center as an environment's settings ask for it."""

from pathlib import Path

from engine.notifications.center import NotificationCenter
from engine.notifications.keys import TelegramKeysError, load_telegram_keys
from engine.notifications.log_sink import LogSink
from engine.notifications.model import Level, Sink
from settings import Settings


def telegram_key_paths(settings: Settings) -> tuple[Path, ...]:
    """Where the keys may be, in order; the second is where older installations kept them."""
    return (
        settings.vault_dir / settings.telegram.keys_file,
        settings.home / "engine" / "vault" / "telegram_keys",
    )


def make_center(settings: Settings, *, log_level: Level = "warning") -> tuple[NotificationCenter, str]:
    """The center, not started, and one sentence about what is missing ("": nothing). Trading goes on."""
    sinks: list[tuple[Sink, Level]] = [(LogSink(), log_level)]
    if not settings.telegram.enabled:
        return NotificationCenter(sinks), ""
    from engine.notifications.telegram import TelegramSink  # noqa: PLC0415  # slow to import, seldom wanted

    try:
        keys = load_telegram_keys(telegram_key_paths(settings))
    except TelegramKeysError as error:
        return NotificationCenter(sinks), str(error)
    sinks.append((TelegramSink(keys, api_url=settings.telegram.api_url), settings.telegram.level))
    return NotificationCenter(sinks), ""
