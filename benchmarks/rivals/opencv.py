"""What a person would write with OpenCV: FILE TILE OUT WEIGHTS, with the same filters from a .npz file."""

import sys

import cv2
import numpy as np


def draw(source, tile, weight, bias):
    """Make the sheet: the input, its channels and six maps."""
    image = cv2.imread(source)
    channels = cv2.split(image)[::-1]
    floats = [channel.astype(np.float32) / 255 for channel in channels]

    def shrunk(picture):
        if tile == "full":
            return picture
        scale = int(tile) / max(picture.shape[:2])
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)

    tiles = [shrunk(picture) for picture in (image, *channels)]
    for filters, add in zip(weight, bias, strict=True):
        values = sum(
            cv2.filter2D(channel, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT)
            for channel, kernel in zip(floats, filters, strict=True)
        )
        values += add
        levels = cv2.convertScaleAbs(values * (127 / np.abs(values).max()) + 128)
        tiles.append(shrunk(levels))

    height, width = tiles[0].shape[:2]
    gap = max(8, width // 25)
    sheet = np.full((2 * (height + gap) + gap, 6 * (width + gap) + gap, 3), 255, np.uint8)
    for index, picture in enumerate(tiles):
        row, column = (0, index) if index < 4 else (1, index - 4)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        if picture.ndim == 2:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        sheet[top : top + height, left : left + width] = picture
    return sheet


if __name__ == "__main__":
    source, tile, out, weights = sys.argv[1:5]
    stored = np.load(weights)
    cv2.imwrite(out, draw(source, tile, stored["weight"], stored["bias"]))
