"""Plain Celery with Flask in front, as a contestant."""
