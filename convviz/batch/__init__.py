"""Process many files: plan unique outputs, carry the plan out, and keep a journal of finished outputs."""

from convviz.batch.best import BestBatch, PeaksRequest
from convviz.batch.journal import Journal, holding, settings_digest
from convviz.batch.local import Stop, run_local
from convviz.batch.plan import Job, Outcome, PassedOver, Plan, make_plan
from convviz.batch.remote.cluster import run_dask
from convviz.batch.run import Batch, BatchRequest
from convviz.batch.tally import Tally

__all__ = [
    "Batch",
    "BatchRequest",
    "BestBatch",
    "Job",
    "Journal",
    "Outcome",
    "PassedOver",
    "PeaksRequest",
    "Plan",
    "Stop",
    "Tally",
    "holding",
    "make_plan",
    "run_dask",
    "run_local",
    "settings_digest",
]
