"""For authors of plugins: contract tests, and inputs made from the sample media to run components on.

    from visiongen import testing

    def test_contract():
        testing.assert_generator_contract("still")

A component that breaks a rule raises `BrokenContract`, an ``AssertionError`` that names the rule and what was found.
The rules are those of `visiongen.hookspecs`; importing this module loads nothing heavy.
"""

from visiongen.testing.enhancer import assert_enhancer_contract
from visiongen.testing.exporter import assert_exporter_contract
from visiongen.testing.generator import assert_generator_contract
from visiongen.testing.inputs import (
    sample_batches,
    sample_clip,
    sample_job,
    sample_landmarks,
    sample_motion,
    sample_portrait,
)
from visiongen.testing.metric import assert_metric_contract
from visiongen.testing.motion_source import assert_motion_source_contract
from visiongen.testing.rules import BrokenContract, assert_light_plugin

__all__ = [
    "BrokenContract",
    "assert_enhancer_contract",
    "assert_exporter_contract",
    "assert_generator_contract",
    "assert_light_plugin",
    "assert_metric_contract",
    "assert_motion_source_contract",
    "sample_batches",
    "sample_clip",
    "sample_job",
    "sample_landmarks",
    "sample_motion",
    "sample_portrait",
]
