"""Measurements, side by side: the engine against what a project would do without it.

`python -m benchmarks` starts a Redis, a PostgreSQL and workers of its own, measures, prints the
table of the targets and writes it to `docs/`. The engine knows nothing of this package.
"""
