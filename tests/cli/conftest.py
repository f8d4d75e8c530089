"""Running the command as a process, as a shell does."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def convviz(tmp_path):
    """Run convviz in an empty folder; give the finished process with text streams."""

    def call(*arguments, stdin=None, env=None, cwd=None):
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "convviz", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd or tmp_path,
            env={**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **(env or {})},
            check=False,
            timeout=120,
        )

    def run(*arguments, **options):
        done = call(*arguments, **options)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return run


@pytest.fixture
def classic(tmp_path):
    """The classic numbers: R all ones, the rows of G are 0 1 0, those of B 1 0 1."""
    path = tmp_path / "classic.json"
    path.write_text(json.dumps([[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3]))
    return path
