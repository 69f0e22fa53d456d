"""Packages of other generations: reading them, and every verb on them."""
