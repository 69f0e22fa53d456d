"""The hostile corpus: an independent builder of the native format, attacks on it, a runner."""
