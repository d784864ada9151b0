"""The versions of a worker's model: noticed in the store, tried, loaded, swapped and dropped while jobs go on."""
