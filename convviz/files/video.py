"""Write pictures as a video that all players and slide programs show: H.264 in MP4, through PyAV."""

import io
import itertools
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from convviz.errors import importing

# Players expect a steady rate, so a picture that is shown for long is repeated, at almost no cost.
RATE = Fraction(25, 2)
# The number of BT.709 in H.264.
_BT709 = 1


def load() -> Any:
    """Load PyAV.

    Raises
    ------
    BackendError
        If it is not installed.
    """
    with importing("av", "writing .mp4"):
        import av
    return av


def mp4(images: Iterable[Image.Image], times: Iterable[int], *, text: str) -> bytes:
    """Write pictures as a video.

    Parameters
    ----------
    images : iterable of PIL.Image.Image
        All of one size, mode RGB; if the number of rows or columns is odd, the last one is left out.
    times : iterable of int
        How long each picture is shown, in milliseconds, rounded to whole frames of 80 milliseconds;
        each picture has at least one frame.
    text : str
        A comment to store.

    Returns
    -------
    bytes
        The file; the same for the same pictures and the same version of PyAV.

    Raises
    ------
    BackendError
        If PyAV is not installed.
    """
    av = load()
    waiting = iter(images)
    first = next(waiting)
    file = io.BytesIO()
    # The file has no dates, so that the same run gives the same bytes.
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        container.metadata["comment"] = text
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "16", "preset": "veryfast"})
        # Colours are stored at half the rows and columns, so both counts must be even.
        w, h = (side // 2 * 2 for side in first.size)
        stream.width, stream.height = w, h
        stream.pix_fmt, stream.thread_count = "yuv420p", 1
        # Players assume this for videos of 720 rows or more that do not specify their colours.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        elapsed = count = 0
        for image, ms in zip(itertools.chain([first], waiting), times, strict=True):
            elapsed += ms
            pixels = np.ascontiguousarray(np.asarray(image)[:h, :w])
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            until = max(round(elapsed * RATE / 1000), count + 1)
            for index in range(count, until):
                frame.pts, frame.time_base = index, 1 / RATE
                container.mux(stream.encode(frame))
            count = until
        container.mux(stream.encode())
    return file.getvalue()
