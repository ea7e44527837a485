"""`python -m mkindex`, and what the command `mkindex` runs."""

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from mkindex.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
