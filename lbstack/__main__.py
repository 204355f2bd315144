"""``python -m lbstack`` and the ``lbstack`` command."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # ``python -m`` looks for modules in the current folder first, and that may be somebody else's stack: no
    # yaml.py beside it is ours. lbstack itself has been found, and its own modules are beside this one.
    del sys.path[0]


def main() -> None:
    """Run the command line and leave with its exit code."""
    from lbstack.cli.main import let_be, run

    code = run(sys.argv[1:])
    let_be()
    sys.exit(code)


if __name__ == "__main__":
    main()
