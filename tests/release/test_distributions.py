"""What a release uploads holds what it needs and nothing else, and works far from the checkout."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from first_steps import take

import convviz

ROOT = Path(__file__).parents[2]
PARTS = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md")


def python(*arguments, of=sys.executable, cwd=ROOT):
    """Run Python, or a module of it, as somebody does who has only what is installed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(of), *map(str, arguments)],
        cwd=cwd,
        env={**env, "COLUMNS": "100", "TERM": "dumb"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The archive of the source, and the wheel that is built from it, as pip does without a wheel."""
    folder = tmp_path_factory.mktemp("dist")
    python("-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    python("-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def test_the_package_index_would_take_both(built):
    assert python("-m", "twine", "check", "--strict", *built).count("PASSED") == 2


def test_the_wheel_holds_the_package_and_what_it_reads_and_nothing_else(built):
    names = set(zipfile.ZipFile(built[1]).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "convviz").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    of_pip = {name for name in names if name.startswith(f"convviz-{convviz.__version__}.dist-info/")}
    # What only checks the scripts of the page; and the sample that `animate --gallery` reads.
    package -= {"convviz/page/tsconfig.json"}
    assert names - of_pip == package | {"convviz/gallery.toml"}
    licences = {name.partition("/licenses/")[2] for name in of_pip if "/licenses/" in name}
    assert licences == {"LICENSE", "convviz/render/typeface/LICENSE"}


def test_the_wheel_has_the_data_of_the_page_the_networks_the_typeface_and_the_types(built):
    names = zipfile.ZipFile(built[1]).namelist()
    count = {ending: sum(name.endswith(ending) for name in names) for ending in (".js", ".css", ".html")}
    page = ROOT / "convviz" / "page"
    assert count == {ending: len([*page.glob(f"*{ending}")]) for ending in count}
    assert min(count.values()) > 0
    assert {f"convviz/spec/nets/{name}.toml" for name in ("lenet5", "resnet18", "vgg16")} < set(names)
    assert {"convviz/py.typed", "convviz/render/typeface/DejaVuSansCondensed.ttf"} < set(names)
    assert [name for name in names if re.search(r"__pycache__|\.pyc|/tests?/|test_", name)] == []


def test_the_archive_of_the_source_can_be_tested_and_cited(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for part in (*PARTS, "samples/harbour.png", "tests/conftest.py", "docs/howto/maps.md", "pyproject.toml"):
        assert part in names
    assert [name for name in names if re.search(r"__pycache__|\.pyc|(^|/)\.(?!gitignore$)", name)] == []


def test_the_summary_uses_the_words_of_the_glossary(built):
    metadata = zipfile.ZipFile(built[1]).read(f"convviz-{convviz.__version__}.dist-info/METADATA").decode()
    found = Parser().parsestr(metadata)
    assert found["Version"] == convviz.__version__
    assert not re.search(r"\b(planes?|taps|banks?|nets?)\b", found["Summary"])
    supported = {name.rpartition(" ")[2] for name in found.get_all("Classifier") if ":: 3." in name}
    assert supported == {"3.11", "3.12", "3.13", "3.14"}


@pytest.mark.parametrize("address", ["", "https://host.example/somebody/convviz"])
def test_the_description_on_the_package_index_has_no_relative_picture_or_link(built, tmp_path, address):
    """Built without an address, as pyproject.toml is; with one, hatchling is asked what it would write."""
    if not address:
        path = f"convviz-{convviz.__version__}.dist-info/METADATA"
        text = Parser().parsestr(zipfile.ZipFile(built[1]).read(path).decode()).get_payload()
    else:
        with tarfile.open(built[0]) as archive:
            archive.extractall(tmp_path, filter="data")
        (source,) = tmp_path.iterdir()
        (source / "PKG-INFO").unlink()  # holds the description that was made with the archive
        settings = source / "pyproject.toml"
        filled = settings.read_text(encoding="utf-8").replace('address = ""', f'address = "{address}"')
        settings.write_text(filled, encoding="utf-8")
        text = json.loads(python("-m", "hatchling", "metadata", cwd=source))["readme"]["text"]
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "<img" not in text
    assert "take one value apart" in text.lower()
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert (f"{address}/raw/HEAD/docs/pictures/run.png" in pictures) == bool(address)
    assert (f"{address}/blob/HEAD/docs/start.md" in targets) == bool(address)


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The Python of an empty environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    paths = {
        name: Path(sysconfig.get_path(name, "venv", {"base": folder, "platbase": folder}))
        for name in ("scripts", "purelib")
    }
    of = paths["scripts"] / Path(sys.executable).name
    python("-m", "pip", "--python", of, "install", "--no-deps", "--no-index", "--quiet", built[1])
    # Only its folders are looked into, not its links: a convviz that this one is linked to is not found.
    here = [path for path in sys.path if path.endswith("site-packages")]
    (paths["purelib"] / "dependencies.pth").write_text("\n".join(here), encoding="utf-8")
    return of


def test_the_installed_program_does_what_somebody_tries_first_far_from_the_checkout(installed, tmp_path):
    """In one test, since the environment is made once for each process of tests."""
    assert take(installed, tmp_path).startswith(f"convviz {convviz.__version__}\n")
