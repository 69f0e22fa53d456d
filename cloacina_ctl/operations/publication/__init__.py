"""The steps of `publish`."""
