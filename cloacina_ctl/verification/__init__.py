"""Whether a package is the requested one, signed by a key that counts."""
