"""Listen keys, and the delivery of user events to them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gateways.simulator.api.access.keys import ApiKey
from gateways.simulator.api.access.signatures import new_listen_key
from gateways.simulator.api.requests.faults import Faults
from gateways.simulator.api.streams.hub import Hub
from gateways.simulator.exchange.model.errors import ApiError
from gateways.simulator.store.journal import StateDamagedError
from gateways.simulator.store.private_file import write_private

LIFE_MS = 3_600_000


@dataclass(slots=True)
class ListenKey:
    """One active listen key; an API key has at most one."""

    value: str
    api_key: str
    account: str
    expires_ms: int


class ListenKeys:
    """All active listen keys. They are stored in the state folder, so user streams survive a restart."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._by_api_key: dict[str, ListenKey] = {}
        if path is not None and path.exists():
            try:
                keys = msgspec.json.decode(path.read_bytes(), type=list[ListenKey])
            except msgspec.DecodeError as error:
                raise StateDamagedError(f"{path}: not a list of listen keys; fix or remove it") from error
            self._by_api_key = {key.api_key: key for key in keys}

    def start(self, owner: ApiKey, now_ms: int) -> str:
        """Create the owner's key, or extend it by 60 minutes; return it."""
        key = self._by_api_key.get(owner.key)
        if key is None:
            key = ListenKey(new_listen_key(), owner.key, owner.account, 0)
            self._by_api_key[owner.key] = key
        key.expires_ms = now_ms + LIFE_MS
        self._save()
        return key.value

    def extend(self, owner: ApiKey, value: str | None, now_ms: int) -> str:
        """Extend by 60 minutes; -1125 when the owner has no key or a different one."""
        key = self._by_api_key.get(owner.key)
        if key is None or (value is not None and value != key.value):
            raise ApiError(-1125, "This listenKey does not exist.")
        key.expires_ms = now_ms + LIFE_MS
        self._save()
        return key.value

    def end(self, owner: ApiKey) -> ListenKey | None:
        """End the owner's key and return it; None when there was none."""
        key = self._by_api_key.pop(owner.key, None)
        self._save()
        return key

    def take_expired(self, now_ms: int) -> list[ListenKey]:
        """Remove and return the expired keys."""
        expired = [key for key in self._by_api_key.values() if key.expires_ms <= now_ms]
        for key in expired:
            del self._by_api_key[key.api_key]
        if expired:
            self._save()
        return expired

    def take_all(self) -> list[ListenKey]:
        """Remove and return every key."""
        keys = list(self._by_api_key.values())
        self._by_api_key.clear()
        self._save()
        return keys

    def of_account(self, account: str) -> list[str]:
        """Return the active keys of an account."""
        return [key.value for key in self._by_api_key.values() if key.account == account]

    def _save(self) -> None:
        if self._path is None:
            return
        write_private(self._path, msgspec.json.encode(list(self._by_api_key.values())).decode())


class UserStreams:
    """Sends user events; faults may lose, duplicate or delay them."""

    def __init__(
        self,
        hub: Hub,
        keys: ListenKeys,
        faults: Faults,
        call_later: Callable[[int, Callable[[], None]], None],
    ) -> None:
        self.keys = keys
        self._hub = hub
        self._faults = faults
        self._call_later = call_later

    def deliver(self, account: str, name: str, payload: dict[str, object]) -> None:
        """Send one event to all listen keys of an account."""
        values = self.keys.of_account(account)
        if not values:
            return
        raw = msgspec.json.encode(payload)
        fault = self._faults.take_event(name) if self._faults.events else None
        if fault is None:
            self._send(values, name, raw)
        elif fault.action == "duplicate":
            self._send(values, name, raw)
            self._send(values, name, raw)
        elif fault.action == "delay":
            self._call_later(fault.delay_ms, lambda: self._send(values, name, raw))

    def end(self, key: ListenKey, now_ms: int) -> None:
        """Send listenKeyExpired to the sockets of a key; they stay open but get no further events."""
        event = {"e": "listenKeyExpired", "E": now_ms, "listenKey": key.value}
        self._hub.publish_private(key.value, "listenKeyExpired", msgspec.json.encode(event))

    def expire(self, now_ms: int) -> None:
        """End the expired keys."""
        for key in self.keys.take_expired(now_ms):
            self.end(key, now_ms)

    def _send(self, values: list[str], name: str, raw: bytes) -> None:
        for value in values:
            self._hub.publish_private(value, name, raw)
