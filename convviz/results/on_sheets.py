"""Define the common parts of answers that are a sequence, and that are drawn as a sheet."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from numpy.typing import NDArray

from convviz import __version__
from convviz.render.sheets.layout import Sheet
from convviz.results import outputs
from convviz.spec import settings

Item = TypeVar("Item")


class OnSheet(Sequence[Item]):
    """Give an answer item by item, as plain values, as arrays, and as a sheet, which a notebook shows."""

    __slots__ = ()

    command: ClassVar[str]

    @property
    @abstractmethod
    def _items(self) -> Sequence[Item]:
        """The items of the sequence."""

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Return the answer as plain values, as ``--json`` prints them, without the numbers themselves."""

    @abstractmethod
    def sheet(self, **looks: Any) -> Sheet:
        """Lay out the answer; not painted yet."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Gather the numbers for `save`."""

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the sheet (.png, .svg, .pdf, .webp, .jpg) or the exact numbers (.npz, .safetensors).

        Raises
        ------
        OutputError
            If the file cannot be written, or exists and was not written by convviz.
        """
        outputs.save_answer(Path(path), self.sheet, self.arrays, description=self.description(), force=force)

    def description(self, *chosen: Any) -> dict[str, Any]:
        """Describe the answer for the metadata of a file; `chosen` are settings to include."""
        return {"version": __version__, "command": self.command, **settings.as_text(*chosen)}

    def _repr_png_(self) -> bytes:
        """Show the sheet in a notebook."""
        return outputs.as_png(self.sheet().image())
