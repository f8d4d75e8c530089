"""The page that needs no picture: three channels of nine numbers, whose products add up to 18."""

import numpy as np

from convviz.compute import filters
from convviz.images.picture import RGB, Picture
from convviz.page.page import page
from convviz.spec.kernels.parse import parse_request
from convviz.spec.settings import LayerSettings, PageSettings

# Under a filter of ones, 9 of R, 3 of G and 6 of B make 18.
NUMBERS = (((1, 1, 1),) * 3, ((0, 1, 0),) * 3, ((1, 0, 1),) * 3)
NAME = "classic.json"
_LOOKS = PageSettings()


def classic_page(*, looks: PageSettings = _LOOKS) -> str:
    """Write the page of the classic numbers, on which the tour starts.

    Parameters
    ----------
    looks : PageSettings
        The initial colours for the values of maps.

    Returns
    -------
    str
        The HTML.

    Examples
    --------
    >>> classic_page().startswith("<!doctype html>")
    True
    """
    picture = Picture(np.array(NUMBERS, np.float32), RGB)
    # The other five filters are those of a new layer.
    settings = LayerSettings(out_channels=6, kernel=(parse_request("ones=1 1 1; 1 1 1; 1 1 1"),))
    layer, weights, _ = filters.build(settings, len(NUMBERS), channels=RGB)
    return page(NAME, picture, layer, weights=weights, settings=settings, looks=looks, tour=True)
