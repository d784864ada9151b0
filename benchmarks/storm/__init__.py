"""`make storm`: Celeriac under faults for minutes, and an audit of every job that it has taken. See docs/storm.md."""
