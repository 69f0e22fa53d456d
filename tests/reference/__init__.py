"""Our packages beside those of the real `cloacinactl`; `make reference` builds it into a cache."""
