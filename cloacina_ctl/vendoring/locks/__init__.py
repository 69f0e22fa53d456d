"""Lock files: those that are read, and the one that is written."""
