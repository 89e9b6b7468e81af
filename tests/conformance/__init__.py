"""Copies of published specifications in ``tests/data``, and the checks of traffic against them."""
