"""Between exchanges and the engine."""

from supervisor.interpreter import insist_on_packages

insist_on_packages()
