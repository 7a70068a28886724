"""Decides: ticks in, orders out."""

from supervisor.interpreter import insist_on_packages

insist_on_packages()
