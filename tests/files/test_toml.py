"""TOML whose size on the disk says nothing about what reading it takes."""

import time

import pytest

from convviz.errors import InputError
from convviz.files.toml_ import read_toml


@pytest.mark.parametrize("chain", [".".join("a" * 50_000), " . ".join(['"a,"', "'b='", "c"] * 5_000)])
@pytest.mark.parametrize("form", ["{} = 1\n", "[{}]\n", "x = {{ {} = 1 }}\n"])
def test_a_key_of_thousands_of_parts_is_refused(tmp_path, chain, form):
    """100 kB took 10 GB and a minute: each part is a table in the one before."""
    (tmp_path / "deep.toml").write_text(form.format(chain))
    with pytest.raises(InputError, match=r"deep\.toml': it has a key of more than 100 parts\."):
        read_toml(tmp_path / "deep.toml")


@pytest.mark.parametrize(
    "text", ["a.b.c = 1\n", f"a = [{'0.5, ' * 1000}]\n", "a = '1.2.3'\nb.c = '''\n...\n'''\n"]
)
def test_dots_elsewhere_are_no_parts(tmp_path, text):
    (tmp_path / "plain.toml").write_text(text)
    assert read_toml(tmp_path / "plain.toml")


@pytest.mark.parametrize("text", ["a" * 100_000, '"' * 100_000, '"\\' * 50_000])
def test_looking_for_long_keys_takes_no_longer_than_the_text(tmp_path, text):
    (tmp_path / "odd.toml").write_text(text)
    begun = time.process_time()
    with pytest.raises(InputError, match="it is not TOML"):
        read_toml(tmp_path / "odd.toml")
    assert time.process_time() - begun < 5
