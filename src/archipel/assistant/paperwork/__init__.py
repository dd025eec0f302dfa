"""Actions on a person's files: the same file comes back, its text translated or corrected."""
