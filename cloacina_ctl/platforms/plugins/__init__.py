"""The tables of each plugin interface in a compiled library."""
