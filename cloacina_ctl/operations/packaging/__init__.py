"""The steps of `package`."""
