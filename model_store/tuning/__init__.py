"""Finds the fastest way to run a model that gives the same answers, and keeps what was found."""
