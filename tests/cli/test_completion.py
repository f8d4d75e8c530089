"""Shells complete commands, options and their words: by the protocol of each, and in the shell itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = ("bash", "zsh", "fish")
PROGRAM = Path(sys.executable).with_name("convviz")


def asked(shell, line):
    """Make the variables by which a shell asks what can follow a line."""
    words = line.split(" ")
    if shell == "bash":
        of_shell = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    else:
        of_shell = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    return {"_CONVVIZ_COMPLETE": f"complete_{shell}", "COLUMNS": "40", **of_shell}


def offered(shell, printed):
    """Read the words that a shell would offer, each with its help."""
    if shell == "bash":
        return [(line, "") for line in printed.splitlines()]
    if shell == "fish":
        return [tuple(line.split("\t")) for line in printed.splitlines()]
    # "WORD":"HELP", one a line, in the parentheses of an argument of _arguments.
    rows = printed.removeprefix("_arguments '*: :((").rstrip().removesuffix("))'").splitlines()
    return [tuple(part.strip('"').replace(r"\\:", ":") for part in row.split('":"')) for row in rows]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_offered_the_commands_that_begin_so(process, shell):
    done = process(env=asked(shell, "convviz ex"))
    rows = offered(shell, done.stdout)
    assert {row[0] for row in rows} == {"explain", "explore", "exercise"}
    if shell != "bash":  # which shows no help
        helps = dict(rows)
        assert helps["explain"] == (
            "Take one output value apart: what is multiplied by what, and how it adds up."
        )


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_offered_options_each_with_its_whole_help_on_one_line(process, shell):
    """A terminal of 40 columns broke the help, and a shell took what came after for words of their own."""
    rows = offered(shell, process(env=asked(shell, "convviz run cat.jpg --out")).stdout)
    assert {row[0] for row in rows} == {"--out-channels", "--output"}
    if shell != "bash":
        assert (
            "feature maps [default: as many as the kernels make, or 6]. Filters"
            in (dict(rows)["--out-channels"])
        )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("run x.png --padding-mode re", {"reflect", "replicate"}, id="padding mode"),
        pytest.param("run x.png --backend ", {"auto", "numpy", "torch", "onnxruntime"}, id="backend"),
        pytest.param("shape --net re", {"resnet18"}, id="network"),
        pytest.param("animate --style ", {"flat", "iso"}, id="style of an animation"),
        pytest.param("run x.png -K scharr-", {"scharr-x", "scharr-y"}, id="kernel"),
        pytest.param("run harb", set(), id="files, which the shell knows itself"),
    ],
)
def test_a_word_that_an_option_takes_is_completed(process, line, words):
    assert {*process(env=asked("bash", f"convviz {line}")).stdout.split()} == words


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_printed(process, shell):
    assert f"complete_{shell}" in process(env={"_CONVVIZ_COMPLETE": f"source_{shell}"}).stdout


def in_shell(shell, script, folder):
    """Run a script in a shell that finds this convviz first and reads no settings of anybody's."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    if not PROGRAM.exists():
        pytest.skip("convviz is not installed beside this Python")
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [found, *plain, "-c", script],
        env={
            **os.environ,
            "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes_by_the_script_that_is_installed(tmp_path):
    script = """
        eval "$(_CONVVIZ_COMPLETE=source_bash convviz)"
        complete -p convviz
        COMP_WORDS=(convviz run cat.jpg --padd) COMP_CWORD=3
        _convviz_completion convviz
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    registered, *words = in_shell("bash", script, tmp_path)
    assert registered == "complete -o default -F _convviz_completion convviz"
    assert words == ["--padding", "--padding-mode"]


def test_zsh_completes_by_the_script_that_is_installed(tmp_path):
    """As _arguments does: the list in the parentheses is split into words by the shell, each word:help."""
    script = """
        compdef() { :; }
        _arguments() { local list=${1#*\\(}; eval "found=( ${list[2,-3]} )"; print -rl -- $found; }
        eval "$(_CONVVIZ_COMPLETE=source_zsh convviz)"
        words=(convviz run cat.jpg --padd) CURRENT=4
        _convviz_completion
    """
    found = in_shell("zsh", script, tmp_path)
    assert [line.partition(":")[0] for line in found] == ["--padding", "--padding-mode"]


def test_fish_completes_by_the_script_that_is_installed(tmp_path):
    (tmp_path / "cat.jpg").touch()
    script = """
        _CONVVIZ_COMPLETE=source_fish convviz | source
        complete -C 'convviz run cat.jpg --padd'
        complete -C 'convviz run ca'
    """
    found = in_shell("fish", script, tmp_path)
    assert [line.partition("\t")[0] for line in found] == ["--padding", "--padding-mode", "cat.jpg"]


@pytest.mark.parametrize(
    ("shell", "script", "settings"),
    [
        ("bash", ".bash_completions/convviz.sh", ".bashrc"),
        ("zsh", ".zfunc/_convviz", ".zshrc"),
        ("fish", ".config/fish/completions/convviz.fish", None),
    ],
)
def test_completion_is_installed_for_the_shell_that_runs_it(tmp_path, shell, script, settings):
    printed = in_shell(shell, "convviz --install-completion\ntrue", tmp_path)
    assert printed[0] == f"{shell} completion installed in {tmp_path / script}"
    assert f"complete_{shell}" in (tmp_path / script).read_text()
    if settings is not None:
        assert (".bash_completions/convviz.sh" if shell == "bash" else "fpath+=~/.zfunc") in (
            (tmp_path / settings).read_text()
        )
