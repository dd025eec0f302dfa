"""A person's file, changed in place: its stretches of text, and the file with others in theirs."""
