"""Documents that people bring: read with anchors, indexed, cited word for word, opened in place."""
