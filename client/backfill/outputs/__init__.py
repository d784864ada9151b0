"""The files a backfill writes its answers to, of each format."""
