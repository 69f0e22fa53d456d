"""uv and pip: what the user told them, how they are asked, and what they say where they fail."""
