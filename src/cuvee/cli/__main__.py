"""`python -m cuvee.cli`."""

from cuvee.cli import main

main()
