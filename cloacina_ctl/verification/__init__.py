"""Whether a package is the one that was asked for, signed by a key that counts."""
