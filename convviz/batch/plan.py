"""What a batch will do: every input with an output of its own."""

from dataclasses import dataclass
from pathlib import Path

from convviz.errors import InputError, SpecError
from convviz.files import find_files
from convviz.text import printable


@dataclass(frozen=True, slots=True)
class Job:
    """One file to do.

    Parameters
    ----------
    name : str
        Its path below the input folder, with forward slashes.
    source, target : Path
        The file to read and the file to write.
    """

    name: str
    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Parameters
    ----------
    name : str
        As in its `Job`.
    target : Path
        The file written, or not.
    reason : str
        Why it failed, in one line; nothing if it did not.
    remarks : tuple of str
        What was changed on the way.
    input_shape, output_shape : tuple of int
        Shapes of the picture and of the maps; empty if it failed.
    seconds : float
        How long it took.
    """

    name: str
    target: Path
    reason: str = ""
    remarks: tuple[str, ...] = ()
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the output was written."""
        return not self.reason


def output_name(name: str) -> str:
    """Name the output of an input, both relative to their folders.

    Returns
    -------
    str
        The whole name of the input with ``.png`` after it: it depends on nothing
        else, and two inputs cannot share it.

    Examples
    --------
    >>> output_name("a/cat.jpg"), output_name("a/cat.png")
    ('a/cat.jpg.png', 'a/cat.png.png')
    """
    return f"{name}.png"


def make_plan(folder: Path, out: Path, *, pattern: str | None = None) -> list[Job]:
    """Pair every picture below a folder with its output.

    Parameters
    ----------
    folder : Path
        Where to look, at any depth; what lies in `out` is left out.
    out : Path
        Where the same tree is made.
    pattern : str, optional
        Names to take, such as ``*.jpg``; every picture by default.

    Returns
    -------
    list of Job
        In the order of the names.

    Raises
    ------
    InputError
        If there is no such folder, or no picture in it.
    SpecError
        If both folders are one.
    """
    if not folder.is_dir():
        what = (
            "is not a folder; use convviz run for one file"
            if folder.exists()
            else "does not exist; check the path"
        )
        raise InputError(f"the folder {printable(str(folder))!r} {what}.")
    if out.exists() and out.samefile(folder):
        raise SpecError("the output folder is the input folder; choose another, which may lie inside it.")
    names = list(find_files(folder, pattern=pattern, exclude=out))
    if not names:
        wanted = f"file like {pattern!r}" if pattern else "picture"
        raise InputError(f"there is no {wanted} in {printable(str(folder))!r}.")
    return [Job(name.as_posix(), folder / name, out / output_name(name.as_posix())) for name in names]
