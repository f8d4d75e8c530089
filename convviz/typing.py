"""Types of arrays that every floor uses."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Wide = NDArray[np.float64]
Bytes = NDArray[np.uint8]
