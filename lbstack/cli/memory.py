"""What a process does before it holds secrets: its memory is not written down when it dies."""

from __future__ import annotations

import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4
"""``prctl``'s number for it, from linux/prctl.h."""


def forbid_dumps() -> None:
    """No core file, and on Linux nobody but root may look into this process; as far as the system lets us."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # a core that is piped to a program has no limit
        with suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
