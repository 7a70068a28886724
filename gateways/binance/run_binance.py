"""Start the gateway: `python gateways/binance/run_binance.py [ENV] [SYMBOL]`, from any directory."""

import asyncio
import gc
import logging
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

# Run as a script, Python knows this folder only; the packages lie two above.
ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import random  # noqa: E402

import structlog  # noqa: E402

from gateways.binance.gateway import Gateway  # noqa: E402
from gateways.binance.protocol.errors import ConfigurationError  # noqa: E402
from gateways.binance.setup.config import GatewayConfig  # noqa: E402
from gateways.binance.setup.keys import ApiKeys, load_keys  # noqa: E402
from gateways.binance.setup.log_lines import LogLines  # noqa: E402
from gateways.wire.errors import TokenError  # noqa: E402
from gateways.wire.token import load_or_make_token  # noqa: E402
from runtime.process import event_loop  # noqa: E402
from runtime.process.child import EXIT_CONFIGURATION, WAS_UP_VARIABLE, parse_arguments, stop_on_request  # noqa: E402
from runtime.process.files import keep_private  # noqa: E402
from runtime.settings import SettingsError, load_settings  # noqa: E402
from runtime.settings.clock import wall_clock  # noqa: E402

EXIT_BROKEN = 1

_log = structlog.get_logger("gateway")


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 after an orderly stop, 2 when the configuration cannot be used, 1 when a part failed."""
    lines = LogLines(time.monotonic)
    _configure_log(lines)
    arguments = parse_arguments("Gateway to Binance USD-M futures.", argv)
    try:
        settings = load_settings(
            arguments.environment, arguments.symbol, accept_real_orders=arguments.accept_real_orders
        )
        keep_private(settings.gateway_dir, settings.data_dir, settings.vault_dir)
        config = GatewayConfig.of(settings, arguments.symbol or "")
        lines.hosts = {
            link: urlsplit(url).hostname or url
            for link, url in (
                ("rest", config.rest_url),
                ("public", config.public_url),
                ("market", config.market_url),
                ("private", config.private_url),
            )
        }
        keys = load_keys(config.key_paths)
        token = load_or_make_token(config.token_path)
    except (SettingsError, ConfigurationError, TokenError) as error:
        _say(str(error))
        return EXIT_CONFIGURATION
    except OSError as error:
        _say(f"{error.filename} cannot be used: {error.strerror}")
        return EXIT_CONFIGURATION
    try:
        event_loop.run(_serve(config, keys, token, exit_with_stdin=arguments.exit_with_stdin))
    except ConfigurationError as error:
        _say(str(error))
        return EXIT_CONFIGURATION
    except OSError as error:
        _say(f"The gateway cannot listen on {config.wire_host}:{config.wire_port}: {error}.")
        return EXIT_BROKEN
    except Exception:  # noqa: BLE001 - the process's one broad except: whatever it is, the gateway ends and is restarted
        _log.exception("the gateway failed")
        return EXIT_BROKEN
    return 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - for the person who started it


async def _serve(config: GatewayConfig, keys: ApiKeys, token: bytes, *, exit_with_stdin: bool) -> None:
    speed = config.clock_speed

    def monotonic_ns() -> int:
        now_ns = time.monotonic_ns()
        return now_ns if speed == 1.0 else int(now_ns * speed)

    gateway = Gateway(
        config,
        keys,
        token,
        monotonic_ns=monotonic_ns,
        wall_ns=wall_clock(speed, config.clock_epoch_ms),
        random=random.Random().random,  # noqa: S311 - jitter of back-offs
        was_up=WAS_UP_VARIABLE in os.environ,
    )
    running = asyncio.ensure_future(gateway.run(_tell_listening))

    def stop() -> None:
        running.cancel()

    stop_on_request(stop, exit_with_stdin=exit_with_stdin)
    # What was made so far stays; frames and orders leave hardly anything for the collector to find.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
    try:
        await running
    except asyncio.CancelledError:
        _log.info("stopped")


def _tell_listening(port: int) -> None:
    _log.info(f"listening on port {port}")


def _configure_log(lines: LogLines) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=True),
            structlog.processors.format_exc_info,
            lines,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
