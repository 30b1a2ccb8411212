"""Thousands of what-ifs: a chapter, or the estimator, for every combination of a grid, here or on a cluster."""
