"""The language server: what a model suggests, in any editor. It is a service's client."""
