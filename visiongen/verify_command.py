"""``visiongen verify``: says what a file tells about how it was made."""

from __future__ import annotations

import json
from typing import Any

from visiongen.marking.verification import examine


def run(flags: Any) -> int:
    """Prints the findings on ``flags.file``; 0 if at least one sign says that a machine made it, else 1."""
    found = examine(flags.file)
    print(json.dumps(found.to_dict(), indent=1, default=str) if flags.json else "\n".join(found.sentences()))
    return 0 if found.proven else 1
