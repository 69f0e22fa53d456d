"""ELF files, read from bytes that may be hostile."""
