"""Selects the files of a project to pack."""
