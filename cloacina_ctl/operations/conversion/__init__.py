"""The steps of `convert`."""
