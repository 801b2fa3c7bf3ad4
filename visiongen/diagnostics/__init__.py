"""Failure cases: which frames of a job are likely to look wrong, why, and what can be done about it.

`diagnose` looks at a driver's motion, at the frames of its clip and at the motion fitted to a portrait, and gives a list
of `Problem`; `apply_remedies` changes the motion and the settings so that they get better. How well each kind is found
is measured in docs/diagnostics.md.
"""

from visiongen.diagnostics.examination import diagnose
from visiongen.diagnostics.problems import KINDS, Problem, Remedy, read_problems, save_problems
from visiongen.diagnostics.remedies import apply_remedies, apply_remedy
from visiongen.diagnostics.warnings import warnings

__all__ = [
    "KINDS",
    "Problem",
    "Remedy",
    "apply_remedies",
    "apply_remedy",
    "diagnose",
    "read_problems",
    "save_problems",
    "warnings",
]
