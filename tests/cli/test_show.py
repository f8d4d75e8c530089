"""Maps in a terminal: a real one (a pty), whatever stdin is and whatever the terminal says of itself."""

import os
import re
import select
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

import fcntl
import pty
import struct
import termios


@pytest.fixture
def terminal(tmp_path):
    """Run convviz in a terminal of some size that answers nothing; give status and what it shows."""
    (tmp_path / "x.json").write_text("[[1, 2], [3, 5]]")

    def run(*words, rows=24, columns=80, stdin=None, **env):
        pid, screen = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            if stdin is not None:
                os.dup2(os.open(stdin, os.O_RDONLY), 0)
            os.chdir(tmp_path)
            inherited = {
                name: value
                for name, value in os.environ.items()
                if name not in {"COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR"}
            }
            os.execve(sys.executable, [sys.executable, "-m", "convviz", *words], {**inherited, **env})
        shown = b""
        while select.select([screen], [], [], 60)[0]:
            try:
                more = os.read(screen, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
        os.close(screen)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, shown.decode().replace("\r\n", "\n")

    return run


SHOW = ("-K", "1", "-K", "-1", "-q", "--show")


def without_colours(shown):
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


@pytest.mark.parametrize(
    ("words", "stdin"), [(["run", "-"], "x.json"), (["run", "x.json"], os.devnull)], ids=["a file", "nothing"]
)
def test_the_terminal_is_not_asked_where_stdin_is_another(terminal, tmp_path, words, stdin):
    status, shown = terminal(*words, *SHOW, stdin=tmp_path / stdin, TERM="xterm-256color")
    assert status == 0, shown
    assert "\x1b[c" not in shown
    # Both maps, each as large as it fits between its caption and the next prompt: 2x2 cells of 22x22 pixels.
    assert re.findall("▀+", without_colours(shown)) == ["▀" * 44] * 44
    assert "1 to 5" in shown
    assert "-5 to -1" in shown


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 80), (24, 0)])
def test_a_terminal_that_does_not_know_its_size_shows_maps_all_the_same(terminal, rows, columns):
    status, shown = terminal("run", "x.json", *SHOW, rows=rows, columns=columns, TERM="xterm-256color")
    assert status == 0, shown
    assert re.findall("▀+", without_colours(shown)) == ["▀" * 44] * 44


def test_a_terminal_that_does_not_answer_gets_half_blocks(terminal):
    status, shown = terminal("run", "x.json", *SHOW, TERM="xterm-256color")
    assert status == 0, shown
    assert "▀" * 44 in without_colours(shown)
    assert "WARNING" not in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"TERM": "dumb"}, id="a dumb terminal"),
        pytest.param({"TERM": "xterm-256color", "NO_COLOR": "1"}, id="no colour wanted"),
        pytest.param({}, id="nothing known"),
        pytest.param({"TERM": "xterm-256color", "PYTHONIOENCODING": "ascii"}, id="ASCII alone"),
    ],
)
def test_without_colour_the_maps_are_characters_of_rising_darkness(terminal, env):
    status, shown = terminal("run", "x.json", "-K", "1", "-q", "--show", rows=6, columns=20, **env)
    assert status == 0, shown
    assert "\x1b" not in shown
    # The map is stretched from 1, black, to 5, white: 2 is level 64, 3 is level 128, so darkness is
    # 9, 7, 4 and 0 of 9. Four lines are left for cells of 2 lines and 4 characters.
    assert "@@@@####\n@@@@####\n====    \n====    \n" in shown


def test_a_terminal_of_which_nothing_is_known_gets_no_escapes(terminal):
    for words in (["run", "x.json", "-K", "1", "--table"], ["kernels"], ["run", "--help"]):
        status, shown = terminal(*words)
        assert status == 0
        assert "\x1b" not in shown


def test_a_narrow_terminal_breaks_no_word_and_no_number(terminal):
    status, shown = terminal("run", "x.json", "-K", "1", "-v", columns=40, TERM="dumb")
    assert status == 0
    assert max(map(len, shown.splitlines())) <= 40
    assert "MACs: 4 = 1 weight x 2 x 2" in shown
