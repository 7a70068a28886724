"""Requests of a stream connection: its URL, and messages such as SUBSCRIBE."""

from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from gateways.simulator.api.requests.bounded_json import BadJsonError, decode
from gateways.simulator.api.requests.params import split_pairs
from gateways.simulator.api.streams.hub import MAX_STREAMS, Hub, Route, StreamSocket

_METHODS = "SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY"


@dataclass(slots=True)
class StreamUrl:
    """Parsed path and query of a stream connection."""

    route: Route
    wrapped: bool
    streams: list[str] = field(default_factory=list)
    events: dict[str, frozenset[str]] = field(default_factory=dict)


def parse_stream_url(path: str, query: str) -> StreamUrl | None:
    """Read `/[public|market|private/]{ws|stream}[/name…][?streams=…&listenKey=…&events=…]`.

    None when the path is not a stream path. Path elements that are neither a stream nor a listen key (ccxt
    adds a connection number) do no harm: nothing is published under such a name. `events=A/B` belongs to
    the listen key before it, or to the first one when it comes first.
    """
    parts = [part for part in path.split("/") if part]
    route: Route = ""
    if parts and parts[0] in {"public", "market", "private"}:
        route = cast("Route", parts.pop(0))
    if not parts or parts[0] not in {"ws", "stream"}:
        return None
    url = StreamUrl(route, parts[0] == "stream", parts[1:])
    keys: list[str] = []
    early: frozenset[str] | None = None
    for name, value in split_pairs(query):
        names = [piece for piece in value.split("/") if piece]
        if name == "streams":
            url.streams += names
        elif name == "listenKey":
            keys += names
            if early is not None and names:
                url.events[names[0]], early = early, None
        elif name == "events" and keys:
            url.events[keys[-1]] = frozenset(names)
        elif name == "events":
            early = frozenset(names)
    url.streams += keys
    if early is not None:
        url.events.update({stream: early for stream in url.streams if "@" not in stream})
    return url


def answer(hub: Hub, socket: StreamSocket, text: str) -> bytes:
    """Perform one client message and encode the response."""
    try:
        request = decode(text, object)
    except BadJsonError as error:
        return _error(3, f"Invalid JSON: {error}", None)
    if not isinstance(request, dict):
        return _error(2, "Invalid request: expected an object", None)
    identifier = request.get("id")
    if identifier is not None and (isinstance(identifier, bool) or not isinstance(identifier, int | str)):
        return _error(2, "Invalid request: request ID must be an integer or a string", None)
    params = request.get("params", [])
    if not isinstance(params, list):
        return _error(2, "Invalid request: params must be an array", identifier)
    match request.get("method"):
        case "SUBSCRIBE" | "UNSUBSCRIBE" as method:
            return _change(hub, socket, method, params, identifier)
        case "LIST_SUBSCRIPTIONS":
            return _result(list(socket.streams), identifier)
        case "SET_PROPERTY" | "GET_PROPERTY" as method:
            return _property(socket, method, params, identifier)
        case method:
            return _error(
                2, f"Invalid request: unknown variant `{method}`, expected one of `{_METHODS}`", identifier
            )


def _change(
    hub: Hub, socket: StreamSocket, method: str, params: list[Any], identifier: int | str | None
) -> bytes:
    names = [name for name in params if isinstance(name, str)]
    if not names or len(names) != len(params):
        return _error(2, "Invalid request: params must be an array of stream names", identifier)
    if method == "UNSUBSCRIBE":
        hub.unsubscribe(socket, names)
    elif len(socket.streams) + len(names) > MAX_STREAMS:
        return _error(2, f"Invalid request: more than {MAX_STREAMS} streams", identifier)
    else:
        hub.subscribe(socket, names)
    return _result(None, identifier)


def _property(socket: StreamSocket, method: str, params: list[Any], identifier: int | str | None) -> bytes:
    if not params or params[0] != "combined":
        return _error(0, "Unknown property", identifier)
    if method == "GET_PROPERTY":
        return _result(socket.wrapped, identifier)
    if len(params) < 2 or not isinstance(params[1], bool):
        return _error(1, "Invalid value type: expected Boolean", identifier)
    socket.wrapped = params[1]
    return _result(None, identifier)


def _result(result: object, identifier: int | str | None) -> bytes:
    return msgspec.json.encode({"result": result, "id": identifier})


def _error(code: int, message: str, identifier: int | str | None) -> bytes:
    answered: dict[str, object] = {"error": {"code": code, "msg": message}}
    if identifier is not None:
        answered["id"] = identifier
    return msgspec.json.encode(answered)
