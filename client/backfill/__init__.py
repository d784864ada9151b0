"""A backfill: every row of an input through a model, once each, whatever stops in between."""
