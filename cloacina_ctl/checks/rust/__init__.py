"""What `validate` knows of a Rust crate."""
