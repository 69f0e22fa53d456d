"""Python wheels, read strictly: what of them may be vendored."""
