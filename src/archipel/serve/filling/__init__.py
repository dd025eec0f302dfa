"""Completion for editors: the shapes in which their programs ask for what belongs into a gap."""
