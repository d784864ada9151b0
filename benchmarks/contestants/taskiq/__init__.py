"""taskiq, as a contestant."""
