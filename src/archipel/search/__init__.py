"""A person's folders, indexed where they lie and searched: files stay where they are, unchanged."""
