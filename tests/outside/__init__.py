"""What a user sees: transcripts of every command, and the names that Python programs import."""
