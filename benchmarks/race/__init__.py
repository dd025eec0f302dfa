"""Ways of training over several sites, side by side on the same shaped links: `benchmarks.wan`."""
