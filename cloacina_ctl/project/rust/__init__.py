"""A Rust crate as text: its Cargo.toml, its source, what `cfg` leaves of it."""
