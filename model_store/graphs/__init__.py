"""Frozen graphs: files of nodes and weights that do not say what goes in and out, opened as programs."""
