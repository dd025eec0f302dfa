"""Office files made for `benchmarks.documents`, changes to them, and what is checked of these."""
