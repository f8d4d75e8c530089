"""Types of arrays that every floor uses."""

from typing import TYPE_CHECKING

import numpy as np

# To load numpy.typing takes as long as the arithmetic of a small layer, and only type checkers look into it.
if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Wide = NDArray[np.float64]
    Bytes = NDArray[np.uint8]
else:
    Floats = Wide = Bytes = np.ndarray
