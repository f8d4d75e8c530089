"""The lesson: its order, what every page of it has, and that both languages have the same commands."""

import re
import shlex
from pathlib import Path

import pytest

from convviz.cli.app import status_of

CONCEPTS = Path(__file__).parents[2] / "docs" / "concepts"
ORDER = (
    (CONCEPTS / "index.md").read_text(encoding="utf-8").split("maxdepth: 1\n\n")[1].split("\n```")[0].split()
)
CHINESE = (CONCEPTS.parent / "zh" / "lesson.md").read_text(encoding="utf-8")


def commands(text):
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def pictures(text):
    return re.findall(r"!\[[^]]+\]\(\.\./pictures/([^)]+)\)", text)


@pytest.mark.parametrize("name", ORDER)
def test_a_page_of_the_lesson_has_a_picture_a_command_and_the_next_page(name):
    text = (CONCEPTS / f"{name}.md").read_text(encoding="utf-8")
    assert pictures(text)
    assert commands(text.split("## Try it")[1])
    following = ORDER[ORDER.index(name) + 1 :]
    nexts = re.findall(r"Next: \[[^]]+\]\((\w+)\.md\)\.", text)
    assert nexts == following[:1]


def test_the_lesson_in_chinese_has_the_commands_and_pictures_of_the_lesson_in_its_order():
    """And a caption for every picture, numbered from 1."""
    english = "".join((CONCEPTS / f"{name}.md").read_text(encoding="utf-8") for name in ORDER)
    more = [one for one in commands(CHINESE) if one not in commands(english)]
    assert [one for one in commands(CHINESE) if one not in more] == commands(english)
    assert [one for one in pictures(CHINESE) if one in pictures(english)] == pictures(english)
    captions = re.findall(r"!\[[^]]+\]\([^)]+\)\n\n\*图 (\d+)\u3000", CHINESE)
    assert [int(number) for number in captions] == [*range(1, len(pictures(CHINESE)) + 1)]


def test_the_sections_of_the_lesson_in_chinese_are_the_pages_of_the_other():
    assert len(re.findall(r"^## \d+\. ", CHINESE, re.MULTILINE)) == len(ORDER)


@pytest.mark.parametrize(
    ("page", "numbers", "command"),
    [
        ("counting", ("168", "42,467,328"), "shape 3x512x512 --out-channels 6 --padding 1"),
        ("stride", ("+ 1 = 2",), "shape 1x6x6 --stride 2"),
        ("groups", ("54", "162"), "explain samples/harbour.png --group-map --groups 3 --out-channels 6"),
        (
            "value",
            ("20",),
            "explain samples/classic.json --kernel 'ones=1 1 1; 1 1 1; 1 1 1' --bias-values 2",
        ),
        ("field", ("15",), "shape 3x128x128 --layers 'conv 4 k5 s2 | relu | maxpool 2 | conv 2 k3'"),
    ],
)
def test_the_numbers_of_a_page_are_those_that_its_command_prints(page, numbers, command, monkeypatch, capsys):
    monkeypatch.chdir(CONCEPTS.parents[1])
    assert status_of(shlex.split(command)) == 0
    printed = capsys.readouterr().out
    text = (CONCEPTS / f"{page}.md").read_text(encoding="utf-8")
    assert command.replace("'", '"') in "\n".join(commands(text))
    for number in numbers:
        assert number in text
        assert number in printed
