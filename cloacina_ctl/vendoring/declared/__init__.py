"""What a project says of its dependencies and of where they come from."""
