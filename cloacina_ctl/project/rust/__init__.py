"""Reads a Rust crate as text: its Cargo.toml, and its source after `cfg`."""
