"""Side-by-side runs of this project and its peers: ``python -m benchmarks [--quick] [figure …]``.

All contestants of a figure run interleaved in one go on one machine, so that their ratios mean
something where absolute numbers do not. Every byte that was moved is verified. A benchmark is no
test: it asserts nothing about time.
"""
