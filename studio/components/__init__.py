"""The studio's own components: HTML, CSS and JavaScript beside this file, without a build step.

from studio.components import compare_player, scrubber
"""

from __future__ import annotations

from studio.components.compare import compare_player
from studio.components.scrubber import scrubber

__all__ = ["compare_player", "scrubber"]
