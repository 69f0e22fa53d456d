"""The steps of `install`, `list`, `rollback` and `uninstall`."""
