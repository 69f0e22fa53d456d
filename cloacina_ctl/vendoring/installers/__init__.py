"""Runs uv and pip: the user's configuration, the requests, and the messages of failures."""
