"""Between exchanges and the engine."""

from runtime.process.interpreter import insist_on_packages

insist_on_packages()
