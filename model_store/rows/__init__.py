"""Rows of inputs: how many a model takes at once, and how they are divided into calls and joined again."""
