"""The command line itself: reading lines, saying how a run ended, streams and signals."""
