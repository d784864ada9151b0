"""The supervisor, `celeriac up`: starts broker, workers, keeper, API and Flower, and restarts what dies.

Four processes take part. The front (`front`, `system`) decides; supervisord (`supervisord`) starts, stops and logs;
each service runs on a leash (`leash`) that ends it with supervisord; the guard (`guard`) sweeps up after them all.
Where there is not memory for all workers, they take turns (`eviction`, decided in `memory_plan`).
"""
