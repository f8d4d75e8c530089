"""Running the command: in this process, or as a process of its own, as a shell does."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import quick_start
from hypothesis import HealthCheck, settings

from convviz.analysis import measure
from convviz.cli.app import status_of

# Speed is measured in benchmarks; a busy machine makes no test red.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
quick_start.use()


@pytest.fixture(autouse=True, scope="session")
def benchmarks_are_short():
    """Let `bench` time every way three times in this process, however many seconds each is given."""
    rates = measure.rates
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "rates", lambda *of, seconds: rates(*of, seconds=0))
        yield rates


@pytest.fixture
def convviz(tmp_path):
    """Run convviz in an empty folder, in this process; give what a finished process has, with text streams.

    What begins before a command does, or ends after it, needs `process`.
    """

    def run(*arguments, stdin=b"", env=None, cwd=None):
        streams = [
            io.TextIOWrapper(io.BytesIO(data), "utf-8", "backslashreplace") for data in (stdin, b"", b"")
        ]
        here = Path.cwd()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"COLUMNS": "100", "TERM": "dumb", **(env or {})}.items():
                patch.setenv(name, value)
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            os.chdir(cwd or tmp_path)
            try:
                status = status_of([*map(str, arguments)])
            finally:
                os.chdir(here)
        for stream in streams[1:]:
            stream.flush()
        out, err = (stream.buffer.getvalue().decode() for stream in streams[1:])
        return subprocess.CompletedProcess(arguments, status, out, err)

    return run


@pytest.fixture
def process(tmp_path):
    """Run convviz in an empty folder as a process; give the finished one with text streams."""

    def run(*arguments, stdin=None, env=None, cwd=None):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "convviz", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=cwd or tmp_path,
            env={**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **(env or {})},
            check=False,
            timeout=120,
        )
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return run


@pytest.fixture
def program(tmp_path):
    """Run a program where `convviz` does, in this process, which has loaded torch; give its names."""

    def run(text):
        names = {"__name__": "__main__"}
        here = Path.cwd()
        os.chdir(tmp_path)
        try:
            exec(compile(text, "program.py", "exec"), names)
        finally:
            os.chdir(here)
        return names

    return run


@pytest.fixture
def classic(tmp_path):
    """The classic numbers: R all ones, the rows of G are 0 1 0, those of B 1 0 1."""
    path = tmp_path / "classic.json"
    path.write_text(json.dumps([[[1, 1, 1]] * 3, [[0, 1, 0]] * 3, [[1, 0, 1]] * 3]))
    return path
