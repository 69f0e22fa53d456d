"""Which files of a project get packed."""
