"""The command line: words in, exit status out."""

from convviz.cli.app import main

__all__ = ["main"]
