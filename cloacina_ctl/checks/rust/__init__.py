"""The rules for a Rust crate."""
