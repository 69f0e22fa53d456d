"""Dependencies of a Python project, as wheels, into its package (docs/vendoring.md)."""
