"""Processes of a batch that are there at once: copies of one process that has loaded convviz.

A process that begins as usual takes more than half a second for it. Programs that a test starts by
themselves begin theirs as they do for everybody.
"""

import multiprocessing

from convviz.batch import local

LOADED = ["convviz.batch", "convviz.compute.backends.numpy_"]


def use():
    """Start the processes of batches in this process so, where the system can."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        local._CONTEXT = multiprocessing.get_context("forkserver")
        local._CONTEXT.set_forkserver_preload(LOADED)


def dask_setup(worker):
    """Do so in a worker of Dask, to which this file is given with ``--preload``."""
    use()
