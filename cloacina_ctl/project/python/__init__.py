"""What is particular to Python projects: where their modules lie, what these import."""
