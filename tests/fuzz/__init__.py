"""Hostile input for every parser: ``python -m tests.fuzz`` (``make fuzz``), and a share of it in the unit tests."""
