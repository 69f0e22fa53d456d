"""Makes the packed source of a crate, which builds without the rest of its project."""
