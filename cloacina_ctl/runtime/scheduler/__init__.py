"""Which task of a workflow runs when."""
