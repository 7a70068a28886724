"""The rules an order that adds exposure must pass, a file each.

A gate asks whether anything may be entered now, a rule whether this order may. docs/extending.md adds one.
"""
