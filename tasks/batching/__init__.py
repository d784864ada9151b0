"""A model's jobs in batches: a Celery consumer strategy, and the threads that decode, compute and store beside it."""
