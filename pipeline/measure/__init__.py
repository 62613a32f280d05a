"""Measure this machine: networks of known families, and how long they take on it."""
