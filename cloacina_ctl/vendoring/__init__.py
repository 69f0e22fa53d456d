"""Copies the dependencies of a Python project into its package, as wheels (docs/vendoring.md)."""
