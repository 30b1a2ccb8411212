"""What do we know?  Tables of data/, units, quantities, records, claims, runs."""
