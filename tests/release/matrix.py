"""Use the wheel on every version of Python that pyproject.toml names; say what was skipped, and why.

``make matrix``; ``matrix.py --torch 3.13`` tries one version, and with torch, which pip fetches anew. Where
there is no interpreter, mypy still checks that the code uses only what that version has.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from first_steps import take

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSIONS = [
    name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)
]


def output(*words):
    """Run a program; None if it is not there, or fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def interpreter(version):
    """Find the Python of a version: on the path, by the launcher of Windows, by uv, among those of pyenv."""
    code = "import sys; print(sys.executable, '%d.%d' % sys.version_info[:2], sep='|')"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    tries = [
        (f"python{version}",),
        ("py", f"-{version}"),
        *([(found,)] if (found := output("uv", "python", "find", "--no-project", version)) else []),
        *((str(path),) for path in sorted(pyenv.glob(f"{version}*/bin/python{version}"))),
    ]
    for words in tries:
        found, _, is_version = (output(*words, "-c", code) or "").partition("|")
        if is_version == version:
            return found
    return None


def try_version(version, wheel, *, torch):
    """Return (whether it failed, what to say)."""
    found = interpreter(version)
    if found is None:
        return False, "skipped: there is no interpreter of this version here"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run([found, "-m", "venv", folder / "env"], check=True)
        python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        needed = [one for one in PROJECT["dependencies"] if torch or not one.startswith("torch")]
        for arguments in (["--only-binary", ":all:", *needed], ["--no-deps", str(wheel)]):
            done = subprocess.run(
                [python, "-m", "pip", "install", "--quiet", *arguments],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                reason = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
                return False, f"skipped: {reason[-1]}"
        package = next((folder / "env").rglob("site-packages/convviz"))
        compiled = subprocess.run(
            [python, "-W", "error", "-m", "compileall", "-q", "-f", package], check=False, text=True
        )
        (folder / "work").mkdir()
        try:
            assert compiled.returncode == 0, "compileall"
            names = take(python, folder / "work")
        except AssertionError as error:
            return True, f"FAILED: {error}"
        return False, "passed with " + ", ".join(names.splitlines()[1:])


def main():
    if shutil.which("ruff", path=str(Path(sys.executable).parent)) is None:
        sys.exit("run it by make matrix, which installs what it needs")
    torch = "--torch" in sys.argv[1:]
    wanted = [version for version in VERSIONS if version in sys.argv[1:]] or VERSIONS
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place], cwd=ROOT, check=True
        )
        (wheel,) = Path(place).glob("*.whl")
        failed = False
        for version in wanted:
            checked = subprocess.run(
                [sys.executable, "-m", "mypy", "--python-version", version],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            types = checked.stdout.strip().splitlines()[-1]
            bad, said = try_version(version, wheel, torch=torch)
            failed |= bad or checked.returncode != 0
            print(f"Python {version}: {said}; types: {types}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
