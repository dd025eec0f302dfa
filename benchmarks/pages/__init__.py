"""Pages and tables that are made of figures, ours and published ones."""
