"""What somebody does first with an installed convviz, checked: in a test, and on every version of Python."""

import os
import subprocess
from pathlib import Path

# A picture that needs no package to make: 48x40 pixels, in which red rises to the right and blue downwards.
_WIDTH, _HEIGHT = 48, 40
_PICTURE = b"P6 48 40 255\n" + bytes(
    value for y in range(_HEIGHT) for x in range(_WIDTH) for value in (x * 5, 128, y * 6)
)


def take(python: Path, folder: Path) -> str:
    """Use every kind of command in a folder, by the Python of an environment.

    Parameters
    ----------
    python : Path
        The interpreter; beside it lies the program.
    folder : Path
        Where to work; nothing of the project is there.

    Returns
    -------
    str
        What ``convviz --version`` prints.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"COLUMNS": "100", "TERM": "dumb"}

    def run(*words: str, of: str = "convviz") -> str:
        done = subprocess.run(
            [str(python.with_name(of)), *words],
            cwd=folder,
            env=env,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{of} {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    where = run("-c", "import convviz; print(convviz.__file__)", of=python.name)
    assert Path(where.strip()).is_relative_to(python.parents[1]), where
    (folder / "cat.ppm").write_bytes(_PICTURE)
    assert "cat-maps.png" in run("run", "cat.ppm", "--out-channels", "6", "--padding", "1")
    assert (folder / "cat-maps.png").read_bytes().startswith(b"\x89PNG")
    assert "window: rows 5 to 7, columns 6 to 8" in run("explain", "cat.ppm", "--at", "5,6")
    run("explore", "cat.ppm")
    page = (folder / "cat-explore.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("<style", "<script", "</html>"))
    # (40 - 3) / 1 + 1 = 38 rows, and 46 columns.
    assert "output  6 x 38 x 46" in run("shape", "3x40x48", "-O", "6")
    assert "sobel-x" in run("kernels", "sobel")
    network = ("--net", "lenet5", "--mode", "gray", "--resize", "32", "--layer", "conv1")
    assert "1x32x32 -> 6x28x28" in run("run", "cat.ppm", *network, "--output", "net.png")
    assert (folder / "net.png").is_file()
    gallery = "from convviz.results.scene import gallery; print(len(gallery()))"
    assert int(run("-c", gallery, of=python.name)) > 10
    return run("--version")
