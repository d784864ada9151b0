"""Celeriac, as a contestant."""
