"""The token that `/_control` commands which change something send in the header `X-Control-Token`."""

import hmac
import re
import secrets
from pathlib import Path

from gateways.simulator.store.journal import StateDamagedError
from gateways.simulator.store.private_file import write_private

HEADER = "X-Control-Token"
FILE = "control_token"
_FORM = re.compile(r"[0-9a-f]{64}")


def load_or_make_token(state: Path) -> str:
    """Return the token in `DIR/control_token`, generated at the first start and readable by its owner only.

    Raises `StateDamagedError` when the file has no token.
    """
    path = state / FILE
    if path.exists():
        token = path.read_text("utf-8", "replace").strip()
        if not _FORM.fullmatch(token):
            raise StateDamagedError(f"{path}: expected 64 hexadecimal digits; fix or remove it")
        return token
    token = secrets.token_hex(32)
    write_private(path, token + "\n")
    return token


def matches(token: str, given: str | None) -> bool:
    """Tell whether the header holds the token, in constant time."""
    return hmac.compare_digest(token.encode(), (given or "").encode("utf-8", "surrogateescape"))
