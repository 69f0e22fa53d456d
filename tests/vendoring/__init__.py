"""Dependencies in packages: wheels, locks, what is refused."""
