"""Response and log lines for a request that fails because of a bug in the simulator."""

import logging
import traceback

import structlog

from gateways.simulator.exchange.model.errors import ApiError

_MAX_LOGGED = 100
_log = structlog.get_logger("simulator")
_logged_places: set[str] = set()
_logged_lines: set[str] = set()


def request_failed(what: str, error: Exception) -> ApiError:
    """Log an unexpected error of one request; the response says that its outcome is unknown (-1000, 500).

    The traceback is logged once for each place in the code, so that repeated requests cannot fill the disk.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    what = ascii(what)[1:-1][:200]
    _log.error(f"{what} failed: {type(error).__name__} at {place}; the client got a 500")
    if place not in _logged_places and len(_logged_places) < _MAX_LOGGED:
        _logged_places.add(place)
        _log.error("".join(traceback.format_exception(error)[-8:]).rstrip())
    return unknown_outcome()


def unknown_outcome() -> ApiError:
    """Return the answer that says that a request may or may not have been performed (-1000, 500)."""
    return ApiError(-1000, "An unknown error occurred while processing the request.", 500)


def http_logger() -> logging.Logger:
    """Return a logger for malformed HTTP requests: one line each, without a traceback."""
    logger = logging.getLogger("simulator.http")
    logger.propagate = False
    logger.handlers = [_OneLine()]
    return logger


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = record.getMessage() if error is None else f"{type(error).__name__}: {error}"
        line = ascii(" ".join(text.split()))[1:-1][:200]
        if (
            record.levelno >= logging.WARNING
            and line not in _logged_lines
            and len(_logged_lines) < _MAX_LOGGED
        ):
            _logged_lines.add(line)
            _log.warning(f"a request could not be read: {line}")
