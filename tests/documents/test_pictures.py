"""The pictures of the documents are those that the code makes now."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import trained
from PIL import Image, ImageSequence

from convviz.render.drawings.drawing import Drawing, to_image
from convviz.render.drawings.film import Film
from convviz.results import films, outputs

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
spec = importlib.util.spec_from_file_location("make_docs", ROOT / "docs" / "make_docs.py")
make_docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_docs)


@pytest.fixture
def taken(monkeypatch):
    """Take what a command is about to write, which is quicker than to write and to read it."""
    found = []
    for module, name in ((outputs, "write_sheet"), (films, "write_animation")):
        monkeypatch.setattr(module, name, lambda made, *_, **__: found.append(made))
    monkeypatch.chdir(ROOT)

    def take(name, target):
        make_docs.make(name, target)
        (made,) = found
        return made

    return take


def drawn(name, made):
    """Draw what a command is about to write, as it is in the documents; of an animation the first frame."""
    if isinstance(made, Film):
        return next(iter(made.images()))
    if not isinstance(made, Drawing):
        return made.image().reduce(make_docs.reduction(name, made.width))
    image = to_image(made, scale=2)
    return image.reduce(make_docs.reduction(name, image.width))


@pytest.mark.parametrize("name", make_docs.SMALL)
def test_a_small_picture_is_made_from_the_one_of_the_documents(name):
    made = np.asarray(make_docs.small(PICTURES / make_docs.SMALL[name]), np.float64)
    with Image.open(PICTURES / "small" / name) as stored:
        assert np.abs(np.asarray(stored, np.float64) - made).max() <= 1, (
            "make it again: python docs/make_docs.py"
        )


@pytest.mark.parametrize("name", make_docs.PICTURES)
def test_a_picture_is_what_its_command_makes(taken, tmp_path, name):
    """Means of 4x4 pixels are compared, for letters differ along their edges between versions of a library.

    Of an animation, the first frame and the length of the whole.
    """
    for network in make_docs.networks_of(name):
        trained.network(network)
    made = taken(name, tmp_path / name)
    again = f"make it again: python docs/make_docs.py {name}"
    with Image.open(PICTURES / name) as stored:
        image = drawn(name, made)
        assert stored.size == image.size, again
        first, second = (np.asarray(one.convert("RGB").reduce(4), np.float64) for one in (stored, image))
        if isinstance(made, Film):
            # Frames that show the same are one in a file.
            assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(stored)) == sum(made.times)
    # A GIF has 255 colours, so its levels are rounded.
    assert (np.abs(first - second).max(axis=-1) > 24).mean() < 0.002, again
