"""arq, as a contestant."""
