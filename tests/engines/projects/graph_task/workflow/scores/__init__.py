"""Scores of customers."""
