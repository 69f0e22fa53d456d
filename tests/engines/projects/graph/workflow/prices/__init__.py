"""Signals on prices."""
