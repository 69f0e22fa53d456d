"""The source of a crate as it gets packed: complete, so that it builds where nothing else is."""
