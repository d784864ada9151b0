"""Inputs of a backfill: a module for each kind, `opening` to choose among them."""
