"""Many files: a plan of unique outputs, an engine that carries it out, and a journal of what is done."""

from convviz.batch.cluster import run_dask
from convviz.batch.journal import Journal, holding, settings_digest
from convviz.batch.local import Stop, run_local
from convviz.batch.plan import Job, Outcome, PassedOver, Plan, make_plan

__all__ = [
    "Job",
    "Journal",
    "Outcome",
    "PassedOver",
    "Plan",
    "Stop",
    "holding",
    "make_plan",
    "run_dask",
    "run_local",
    "settings_digest",
]
