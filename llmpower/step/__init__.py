"""What does one decode step take?  Counted once; bound, served, with measures, spilled."""
