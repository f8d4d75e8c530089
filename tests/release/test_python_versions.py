"""The source is that of Python 3.11 to 3.14, as far as one interpreter can tell; `make matrix` tries them."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path
    for folder in ("convviz", "tests", "samples", "docs", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
# Gone from the standard library in 3.12, 3.13 (PEP 594) and 3.14.
REMOVED = {
    *("asynchat", "asyncore", "distutils", "imp", "smtpd"),
    *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis"),
    *("nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
}
# Came after 3.11.
LATER = {"annotationlib", "compression", "concurrent.interpreters", "string.templatelib"}


@pytest.fixture(scope="module")
def trees():
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(
            path.read_text(encoding="utf-8"), feature_version=(3, 11)
        )
        for path in FILES
    }


def test_every_file_is_written_in_the_grammar_of_the_oldest_version(trees):
    """Reading them did not raise; the oldest version is the one that the project states."""
    assert len(trees) > 300
    with pytest.raises(SyntaxError):
        ast.parse("def first[T](x: T) -> T: ...", feature_version=(3, 11))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"


def test_no_module_of_the_standard_library_is_imported_that_a_version_does_not_have(trees):
    found = []
    for name, tree in trees.items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{name}: {one}" for one in names if one.partition(".")[0] in REMOVED or one in LATER]
    assert found == []


def test_nothing_leaves_a_finally_block_early(trees):
    """Python 3.14 warns of it (PEP 765), and a warning fails the tests."""

    def leaves(body, *, in_loop=False):
        for node in body:
            if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
                yield node.lineno
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
                yield from leaves(inner, in_loop=in_loop or isinstance(node, ast.For | ast.While))

    found = [
        f"{name}:{line}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        for line in leaves(node.finalbody)
    ]
    assert found == []
    (tried,) = ast.parse("try: pass\nfinally:\n  for x in y: break\n  with z: return 1").body
    assert [*leaves(tried.finalbody)] == [4]
