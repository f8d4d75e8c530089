"""Make the description for the package index of README.md, whose links are relative to a checkout."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE = r"\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)"


def described(readme: str, address: str) -> str:
    """Make the relative pictures and links of a page absolute.

    Parameters
    ----------
    readme : str
        The page, in Markdown.
    address : str
        The address of the repository on GitHub or GitLab. If it is empty, pictures are left out, and
        links become plain text, so that nothing is broken.

    Returns
    -------
    str
        The page without relative targets.

    Examples
    --------
    >>> page = "![A map](docs/a.png) [Start](docs/start.md)"
    >>> described(page, ""), described("[Start](docs/start.md)", "https://host/name")
    (' Start', '[Start](https://host/name/blob/HEAD/docs/start.md)')
    """
    picture, link = (rf"[\1]({address.rstrip('/')}/{kind}/HEAD/\2)" for kind in ("raw", "blob"))
    readme = re.sub(f"!{_RELATIVE}", f"!{picture}" if address else "", readme)
    return re.sub(_RELATIVE, link if address else r"\1", readme)


class DescriptionHook(MetadataHookInterface):
    """Give the description to hatchling, whenever it builds or is asked for metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field ``readme``; the key ``address`` of the hook's table is the repository."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": described(readme, self.config.get("address", "")),
        }
