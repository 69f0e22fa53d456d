"""Timings against stock tools: ratios of paired runs of whole processes, never a pass or a fail.

``python -m benchmarks`` prints them; docs/performance.md says what they mean.
"""
