"""The releases of Cloacina, and what each of them loads."""
