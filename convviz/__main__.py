"""The program: ``convviz``, or ``python -m convviz``."""

# Nothing here that Python has not loaded already: `python -m` looks into the current folder first.
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
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


def _keep_modules_out() -> None:
    """Take no modules from the current folder, which ``python -m`` looks into first.

    A ``struct.py`` among somebody's pictures would be run. Where convviz itself is taken from there,
    the folder comes last.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  # not yet pathlib
    try:
        here = os.getcwd()  # noqa: PTH109
    except OSError:  # it was deleted
        return
    if sys.path[0] == here and not sys.flags.safe_path:
        del sys.path[0]
        if home == here:
            sys.path.append(here)


if __name__ == "__main__":
    _keep_modules_out()
    main()
