"""Verbs: a guest onto a host."""
