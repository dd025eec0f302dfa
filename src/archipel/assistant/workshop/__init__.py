"""Code that is repaired or made faster, with the evidence: tests and timings from a sandbox."""
