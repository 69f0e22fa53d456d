"""What a compiled library says of itself: the tables of each plugin interface."""
