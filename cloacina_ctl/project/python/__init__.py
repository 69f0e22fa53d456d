"""Reads Python projects: the places of their modules, and the imports of these."""
