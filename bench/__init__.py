"""Benchmarks: each script states a claim of the README and checks it; run them as ``python -m bench.NAME``."""
