"""A bar for what takes long, and none for what does not."""

import io
import sys
import time

from convviz.cli import progress as module


class Terminal(io.StringIO):
    def isatty(self):
        return True


def replace_stderr(monkeypatch):
    """To be called in the test itself: pytest puts its own file there before."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def wait_for(words, terminal):
    """Wait until the bar was drawn; ten seconds are more than it takes anywhere."""
    end = time.monotonic() + 10
    while words not in terminal.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    return words in terminal.getvalue()


def test_what_is_done_at_once_has_no_bar(monkeypatch):
    stderr = replace_stderr(monkeypatch)
    with module.progress(3, "rows") as advance:
        advance(3)
    assert stderr.getvalue() == ""


def test_what_takes_longer_has_a_bar_with_counts(monkeypatch):
    stderr = replace_stderr(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0)
    with module.progress(30, "rows") as advance:
        advance(12)
        assert wait_for("rows", stderr)
        advance(9)
        assert wait_for("21/30", stderr)


def test_what_cannot_be_counted_has_a_bar_without(monkeypatch):
    stderr = replace_stderr(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0)
    with module.progress(None, "reading"):
        assert wait_for("reading", stderr)
    assert "/" not in stderr.getvalue()


def test_nothing_is_drawn_where_nobody_looks(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0)
    with module.progress(3, "rows") as advance:
        time.sleep(0.1)
        advance(1)
    assert file.getvalue() == ""
