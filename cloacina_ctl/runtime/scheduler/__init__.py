"""Decides when the tasks of a workflow run, and runs them."""
