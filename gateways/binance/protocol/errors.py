"""What can go wrong in the gateway.

GatewayError
├── ConfigurationError   somebody has to look: keys, addresses; the process does not start
├── RestError            the exchange or the network said no; carries an `Answer` to react to
└── RestBlocked          not sent: banned, or no request weight left for this kind of request
"""

from gateways.binance.protocol.classify import Failure


class GatewayError(Exception):
    """Base of everything the gateway raises."""


class ConfigurationError(GatewayError):
    """One sentence for a person; the process does not start."""

    may_pass = False
    """Whether the same question may be answered otherwise later."""


class RestError(GatewayError):
    """A request failed. `failure` says how, and what is known about its execution."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @classmethod
    def refused(cls, message: str) -> "RestError":
        """Certainly not done, by our own or the exchange's word."""
        return cls(Failure("refused", 0, message))


class RestBlocked(GatewayError):
    """Not sent. `wait_seconds` is when it may be tried again."""

    def __init__(self, reason: str, wait_seconds: float) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
