"""Reads the lock files of projects, and writes our own."""
