"""The notification center of an environment, by its settings."""

from pathlib import Path

from engine.notifications.center import NotificationCenter
from engine.notifications.keys import TelegramKeysError, load_telegram_keys
from runtime.settings import Settings


def telegram_key_paths(settings: Settings) -> tuple[Path, ...]:
    """Possible key files in order; the second is that of older installations."""
    return (
        settings.vault_dir / settings.telegram.keys_file,
        settings.home / "engine" / "vault" / "telegram_keys",
    )


def make_center(settings: Settings) -> tuple[NotificationCenter, str]:
    """The center, not started, and one sentence about what is missing, else "". Trading continues either way.

    Without Telegram the center has no sink and does nothing: the engine's log has every line.
    """
    if not settings.telegram.enabled:
        return NotificationCenter([]), ""
    from engine.notifications.telegram import TelegramSink  # noqa: PLC0415  # slow to import, rarely needed

    try:
        keys = load_telegram_keys(telegram_key_paths(settings))
    except TelegramKeysError as error:
        return NotificationCenter([]), str(error)
    sink = TelegramSink(keys, api_url=settings.telegram.api_url)
    return NotificationCenter([(sink, settings.telegram.level)], keep_in=settings.engine_dir), ""
