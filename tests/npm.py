"""Packages of npm that tests use, fetched once and kept."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest


def package(config: pytest.Config, name: str) -> Path:
    """Return the folder of a package, such as "axe-core@4"; the test is skipped where it cannot be had."""
    assert config.cache is not None
    kept = config.cache.mkdir("npm")
    folder: Path = kept / name
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"npm, which fetches {name}, is not installed")
    # Another process of the tests may be at it too.
    with tempfile.TemporaryDirectory(dir=kept) as place:
        try:
            command = [npm, "pack", "--silent", name]
            subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, OSError):
            pytest.skip(f"{name} cannot be had here")
        (archive,) = Path(place).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(place, filter="data")
        try:
            (Path(place) / "package").rename(folder)
        except OSError:
            assert folder.is_dir()
    return folder
