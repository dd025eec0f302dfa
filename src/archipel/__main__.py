"""`python -m archipel` is `archipel`."""

from archipel.cli.main import main

main()
