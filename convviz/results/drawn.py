"""Define the common parts of all answers that can be drawn."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from convviz.render.drawings.drawing import Drawing, to_svg
from convviz.results import outputs


class Drawn(ABC):
    """Give an answer in words, as plain values for JSON, and as a drawing, which a notebook shows."""

    __slots__ = ()

    @abstractmethod
    def lines(self, *, width: int = 100) -> list[str]:
        """Write the answer, in lines of `width` characters."""

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Return the answer as plain values, as ``--json`` prints them."""

    @abstractmethod
    def drawing(self) -> Drawing:
        """Draw the answer."""

    @abstractmethod
    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the answer for the metadata of a file; `chosen` are settings to include."""

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the drawing.

        Parameters
        ----------
        path : str or Path
            The file to write: .png, .svg, .pdf, .webp or .jpg.
        force : bool
            Replace a file that convviz did not write.

        Raises
        ------
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        outputs.write_sheet(self.drawing(), Path(path), self.description(), force=force)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.lines()[0]}>"

    def _repr_svg_(self) -> str:
        """Show the drawing in a notebook."""
        return to_svg(self.drawing())
