"""The program: ``convviz``, or ``python -m convviz``."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it.

    Here and not at the top, so that Ctrl-C says no more than it does later, and
    so that the processes of a batch, which load this module again, load no more.
    """
    try:
        from convviz.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("convviz: interrupted.\n")
        sys.stderr.flush()
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
