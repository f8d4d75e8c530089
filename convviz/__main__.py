"""``python -m convviz``."""

from convviz.cli.app import main

if __name__ == "__main__":
    main()
