"""Help pages where there is little room."""

import re

import pytest
import typer.main

from convviz.cli.app import COMMANDS, make_app, status_of


@pytest.mark.parametrize("columns", [60, 80, 112, 140])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_and_no_value_of_one_is_cut_in_the_help(command, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    status_of([command, "--help"])
    shown = capsys.readouterr().out
    words = set(shown.replace(",", " ").split()) | set(shown.split())
    for param in typer.main.get_command(make_app([command])).commands[command].params:
        if param.param_type_name == "option":
            assert {*param.opts, *param.secondary_opts} <= words
            if param.metavar:
                assert param.metavar in shown


@pytest.mark.parametrize("columns", [60, 140])
@pytest.mark.parametrize("command", ["run", "pad", "shape", "batch"])
def test_what_an_option_says_of_its_default_is_in_the_help(command, columns, monkeypatch, capsys):
    """Square brackets are marks to what draws the boxes, which dropped them with all that was in them."""
    monkeypatch.setenv("COLUMNS", str(columns))
    status_of([command, "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    params = typer.main.get_command(make_app([command])).commands[command].params
    said = [
        text for one in params for text in re.findall(r"\[default: .*?\]", getattr(one, "help", None) or "")
    ]
    assert said or command == "batch"
    for text in said:
        assert text in shown


@pytest.mark.parametrize("columns", [60, 140])
def test_the_list_of_commands_says_in_full_what_each_does(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    status_of(["--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for summary in COMMANDS.values():
        assert summary in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_an_argument_has_neither_braces_nor_a_type_of_python(command, capsys):
    assert status_of([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert not [word for word in ("{", "<str>", "list[") if word in text.partition("Options:")[0]]
