"""dramatiq, as a contestant."""
