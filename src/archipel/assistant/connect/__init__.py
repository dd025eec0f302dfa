"""What other people's programs must be told to use the service, and whether it answers them."""
