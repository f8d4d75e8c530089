"""The copy of a journal that lies behind an address."""

import tempfile

import pytest

from convviz.batch.journal import Journal
from convviz.errors import InputError
from convviz.files import addresses
from convviz.files.addresses import path_of


def test_no_temporary_folder_is_left_where_the_journal_cannot_be_fetched(tmp_path, monkeypatch):
    """Python would not delete it: the program ends without taking itself apart."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(addresses, "listed", lambda _: [("journal.jsonl", None)])

    def fetch(*_):
        raise InputError("cannot read it.")

    monkeypatch.setattr(addresses, "fetch", fetch)
    with pytest.raises(InputError, match="cannot read it"):
        Journal(path_of("memory://maps"), "digest")
    assert not list(tmp_path.iterdir())
