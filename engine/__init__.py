"""Decides: ticks in, orders out."""

from runtime.process.interpreter import insist_on_packages

insist_on_packages()
