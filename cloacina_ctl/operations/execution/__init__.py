"""The steps of `run`."""
