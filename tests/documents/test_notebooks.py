"""The notebooks run from top to bottom, show their pictures, and are stored without outputs."""

import base64
import io
import json
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What each has to show: pictures as pixels or lines, pages; and what its cells say.
SHOWN = {
    "tutorial": (4, 1, ["(18, 6)"]),
    "my_network": (4, 0, ["7"]),
    "lecture": (10, 0, []),
    "onnx_model": (3, 1, ["'conv2'"]),
}


def test_every_notebook_is_expected_here_and_linked():
    assert {path.stem for path in NOTEBOOKS} == SHOWN.keys()
    page = (ROOT / "docs" / "howto" / "notebooks.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"(../../notebooks/{path.name})" not in page] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_has_few_words(path):
    """Outputs are megabytes that change with every release; a reader runs it, as the next test does."""
    found = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(nbformat.reads(json.dumps(found), as_version=4))
    cells = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in cells if cell["outputs"] or cell["execution_count"]] == []
    texts = ["".join(cell["source"]) for cell in found["cells"] if cell["cell_type"] == "markdown"]
    assert max(len(text.split()) for text in texts) < 60
    assert str(ROOT) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # of the client of notebooks, about its own files
def test_a_notebook_runs_and_shows_its_pictures(monkeypatch, tmp_path, path):
    # What Jupyter keeps beside a notebook belongs to nobody here.
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    (tmp_path / "notebooks").mkdir()
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(tmp_path / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=60, startup_timeout=60, resources=where).execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert [output for outputs in shown for output in outputs if output.output_type == "error"] == []
    assert [output for outputs in shown for output in outputs if output.get("name") == "stderr"] == []
    data = [output.data for outputs in shown for output in outputs if "data" in output]
    lines = [one["image/svg+xml"] for one in data if "image/svg+xml" in one]
    coded = [base64.b64decode(one["image/png"]) for one in data if "image/png" in one]
    pixels = [Image.open(io.BytesIO(one)) for one in coded]
    pages = [one["text/html"] for one in data if "text/html" in one]
    pictures, of_pages, words = SHOWN[path.stem]
    assert (len(lines) + len(pixels), len(pages)) == (pictures, of_pages)
    # A picture that is read in a notebook: no more than a few screens.
    assert [one.size for one in pixels if not (200 < one.width < 3000 and 100 < one.height < 3000)] == []
    assert [word for word in words if not any(word in one["text/plain"] for one in data)] == []
