"""A failed test is one failure: what it left open when it stopped is no fault of the tests behind it.

What is imported and collected stays until the end, so the garbage collector never looks at it.
"""

import contextlib
import gc
import sys
import warnings
from collections.abc import Generator, Iterator

import pytest
import structlog

_failed: set[str] = set()


@pytest.fixture(autouse=True)
def logs_of_a_process_end_with_its_test() -> Iterator[None]:
    """A command that ran in this process has sent its log to an output that is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage only in what the tests make."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember who failed."""
    if report.failed:
        _failed.add(report.nodeid)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Let go of a failed test's objects now, without the warnings that they were never closed."""
    if nodeid not in _failed:
        return
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        with contextlib.suppress(AttributeError):
            delattr(sys, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
