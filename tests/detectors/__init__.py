"""Change detectors: tests whose expected value only our own code or data can give.

They tell THAT something changed, not that it is wrong: how many rows a table has, which constants a fit gives, how far
predictions err, what committed chapters print.  Whoever changes such a thing on purpose changes the test with it and
says why in the commit.  nbval is one, too: it executes the notebooks and compares the outputs that they hold.
"""
