"""``python -m lbstack`` and the ``lbstack`` command."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from lbstack.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
