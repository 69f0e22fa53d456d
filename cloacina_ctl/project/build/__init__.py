"""Building a crate with cargo."""
