"""What a batch does with one file: a pure function of the job and the settings."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator

from convviz.batch.plan import Fingerprint, Job, Outcome
from convviz.compute import filters
from convviz.compute.filters import NamedFilters
from convviz.errors import ConvvizError, InputError
from convviz.files import addresses
from convviz.files.paths import quoted
from convviz.files.reading import read_bytes
from convviz.images import decode
from convviz.results import feature_maps, outputs
from convviz.spec.settings import ComputeSettings, InputSettings, LayerSettings, SheetSettings


def picture_of(
    job: Job,
    *,
    named: NamedFilters | None,
    layer: LayerSettings,
    reading: InputSettings,
    compute: ComputeSettings,
    picture: SheetSettings,
    force: bool = False,
) -> Outcome:
    """Write the sheet of one file.

    Parameters
    ----------
    job : Job
        What to read and where to write.
    named : NamedFilters or None
        What `convviz.compute.filters.prepare` made of the layer, where its files are.
    layer, reading, compute, picture
        The settings of the run.
    force : bool
        Replace files that convviz did not write.

    Returns
    -------
    Outcome
        With the reason in one line if the file could not be done.
    """
    start = time.perf_counter()
    try:
        data, source = _read(job)
        with _libraries_silent():
            image = decode.decode(data, quoted(job.source), job.source.suffix.lower(), **reading.arguments)
        conv, weights, remarks = filters.build(layer, image.shape[0], named=named, channels=image.channels)
        result = feature_maps.run(
            image, conv, weights, backend=compute.backend, device=compute.device, keep=False
        )
        sheet = result.sheet(**picture.arguments)
        description = result.description(layer, reading, picture)
        inputs = [job.source, *layer.files]
        written = outputs.write_sheet(sheet, job.target, description, force=force, inputs=inputs)
    except ConvvizError as error:
        return Outcome(job.name, job.target, reason=str(error), seconds=time.perf_counter() - start)
    except MemoryError as error:
        reason = f"not enough memory ({error or 'none left'}); make the layer or the picture smaller."
        return Outcome(job.name, job.target, reason=reason, seconds=time.perf_counter() - start)
    return Outcome(
        job.name,
        job.target,
        remarks=(*image.remarks, *remarks),
        input_shape=image.shape,
        output_shape=result.shape,
        seconds=time.perf_counter() - start,
        source=source,
        written=written,
    )


@contextlib.contextmanager
def _libraries_silent() -> Iterator[None]:
    """Hold back what libraries in C write to stderr: libtiff complains there, and names no file."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _read(job: Job) -> tuple[bytes, Fingerprint]:
    """Read a file, and note what it was before it was read: if it changes meanwhile, a later run sees it."""
    try:
        found = job.seen or addresses.seen(job.source)
    except OSError:
        found = None  # reading it says why
    data = read_bytes(job.source, size=found.size if found else 0)
    if found is None:
        raise InputError(f"{quoted(job.source)} was created by another program just now; try again.")
    digest = hashlib.sha256(data).hexdigest()
    return data, Fingerprint(found.size, found.modified, found.changed, digest)
