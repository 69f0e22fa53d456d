"""Python wheels, read strictly, for vendoring."""
