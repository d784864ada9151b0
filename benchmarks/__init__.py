"""`make bench`: Celeriac measured beside its peers on this machine. See docs/benchmarks.md."""
