"""`visiongen evaluate`: generators judged on clips that drive their own first frame, and on portraits that others drive.

inputs      a folder or a manifest -> what to compare (`Job`)
films       one generated film, with the time every stage took
comparison  a film against the one that drove it -> scores and curves
run         all of it: in parallel, resumable -> records
summary     records -> means, confidence intervals, the figures that are written
table, report   figures -> Markdown, HTML
"""

from __future__ import annotations

from visiongen.evaluation.inputs import COPY, EvaluationConfig, Job, read_jobs
from visiongen.evaluation.run import evaluate

__all__ = ["COPY", "EvaluationConfig", "Job", "evaluate", "read_jobs"]
