"""RQ, as a contestant."""
