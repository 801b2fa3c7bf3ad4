"""Only our own messages reach the screen."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import logging, os, sys, warnings
from visiongen.console import quiet_libraries, show_log
with quiet_libraries():
    show_log("WARNING"); show_log("WARNING")
    os.write(2, b"from C++\\n")
    warnings.warn("deprecated")
    print("ours", file=sys.stderr)
    logging.getLogger("visiongen.deep.down").warning("logged")
    logging.getLogger("visiongen").info("not shown")
os.write(2, b"after\\n")
print("python after", file=sys.stderr)
"""


def test_libraries_are_silent_inside_and_heard_after():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["ours", "visiongen: warning: logged", "after", "python after"]


def test_a_process_without_stderr_works():
    code = CODE.replace("os.write(2, ", "len(")
    subprocess.run(["bash", "-c", f'{sys.executable} -c "$0" 2>&-', code], check=True)
