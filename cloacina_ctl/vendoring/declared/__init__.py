"""Reads the dependencies that a project declares, and their origins."""
