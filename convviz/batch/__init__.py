"""Many files: a plan of unique outputs, and an engine that carries it out."""

from convviz.batch.local import run_local
from convviz.batch.plan import Job, Outcome, make_plan

__all__ = ["Job", "Outcome", "make_plan", "run_local"]
