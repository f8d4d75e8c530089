"""The values of options are those that Typer reads itself, which is the independent implementation here."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
import typer.main
from typer.core import TyperCommand

from convviz.cli.app import COMMANDS, _Command, make_app
from convviz.cli.values import without_pydantic

HW = typer.Option(parser=lambda text: tuple(map(int, text.split("x"))))


def parsed(cls, words, **context):
    """Give what a command of a class gets for each of its parameters."""

    def command(
        names: Annotated[list[str] | None, typer.Argument()] = None,
        size: Annotated[str | None, HW] = None,
        sizes: Annotated[list[str] | None, HW] = None,
        text: str = "plain",
        where: Path | None = None,
        flag: bool = False,
        both: Annotated[bool | None, typer.Option("--both/--no-both")] = None,
    ) -> None:
        """Take one parameter of each kind."""

    app = typer.Typer(add_completion=False)
    app.command(cls=cls)(command)
    return typer.main.get_command(app).make_context("it", list(words), **context).params


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["a", "b"], id="arguments"),
        pytest.param(["--size", "3x5"], id="a parser of ours"),
        pytest.param(["--sizes", "1x2", "--sizes", "3x4"], id="an option twice"),
        pytest.param(["--text", "", "--where", "a/../b"], id="a text and a path"),
        pytest.param(["--flag", "--no-both"], id="flags"),
    ],
)
def test_what_is_typed_means_what_it_means_to_typer(words):
    assert parsed(_Command, words) == parsed(TyperCommand, words)


@pytest.mark.parametrize("text", ["true", "false", "yes", "off"])
def test_a_flag_stored_as_a_word_means_what_it_means_to_typer(text):
    stored = {"default_map": {"flag": text, "both": text}}
    assert parsed(_Command, [], **stored) == parsed(TyperCommand, [], **stored)


def test_a_flag_stored_as_another_word_is_refused():
    with pytest.raises(typer.BadParameter, match="boolean"):
        parsed(_Command, [], default_map={"flag": "perhaps"})


@pytest.mark.parametrize("command", COMMANDS)
def test_typer_reads_no_option_of_a_command_itself(command):
    """It would load pydantic, which takes a fifth of a run."""
    group = typer.main.get_command(make_app([command]))
    for of in (group, group.commands[command]):
        context = typer.Context(of)
        for param in of.get_params(context):
            default = param.get_default(context)
            assert isinstance(default, bool) or param.get_runtime_param()._read or default is None, param.name


def test_another_typer_is_left_to_read_its_options_itself():
    """One that has no such descriptor, as older and perhaps later ones."""

    class Parameter:
        pass

    parameter = Parameter()
    assert without_pydantic(parameter) is parameter
    assert not vars(parameter)
