"""Faults, scale and throughput of runs; most of these benchmarks share one result."""

NAME = "cluster"  # of that result
