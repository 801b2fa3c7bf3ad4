"""The table of faults in docs/robustness.md and the tests that it is made from belong together."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    """docs/measure_faults.py as a module."""
    spec = importlib.util.spec_from_file_location("measure_faults", ROOT / "docs" / "measure_faults.py")
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    sys.path[:] = before
    yield module
    del sys.modules[spec.name]


def functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_of_the_table_exists_once(script):
    tests = [test for fault in script.FAULTS for test in fault.tests]
    assert len(tests) == len(set(tests))
    for test in tests:
        file, _, name = test.partition("::")
        assert name in functions_of(file), test


def test_all_tests_of_faults_are_in_the_table(script):
    known = {test for fault in script.FAULTS for test in fault.tests}
    file, about_words = "test_faults.py", {"test_what_ran_out_is_told"}
    tests = {name for name in functions_of(file) if name.startswith("test_")} - about_words
    assert {f"{file}::{name}" for name in tests} <= known


def test_outcomes_are_counted(script):
    fault = script.FAULTS[0]
    name = fault.tests[0]
    lines = script.table({f"{name}[a]": "passed", f"{name}[b]": "failed", name: "skipped"}).splitlines()
    row = next(line for line in lines if fault.name in line)
    assert "| 3 | 1 | 1 | 1 |" in row
    assert next(line for line in lines if "**all**" in line).startswith("| **all** | | 3 | 1 | 1 | 1 |")
