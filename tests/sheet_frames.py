"""Where the tiles of a sheet stand, found in its pixels."""

import numpy as np


def frames(image, colour):
    """Find the insides of all frames of one colour: (top, left, height, width), from the top left on."""
    hit = (np.asarray(image) == colour).all(axis=-1)
    found = []
    around = np.pad(hit, ((1, 0), (1, 0)))
    for y, x in np.argwhere(hit & ~around[:-1, 1:] & ~around[1:, :-1]):
        if hit[y, x : x + 3].all() and hit[y : y + 3, x].all():
            right = x + int(np.argmin(hit[y, x:])) if not hit[y, x:].all() else hit.shape[1]
            bottom = y + int(np.argmin(hit[y:, x])) if not hit[y:, x].all() else hit.shape[0]
            found.append((int(y) + 2, int(x) + 2, bottom - int(y) - 4, right - int(x) - 4))
    return found


def inside(image, frame):
    top, left, height, width = frame
    return np.asarray(image)[top : top + height, left : left + width]
