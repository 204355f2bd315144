"""The log of applies beside a state: a line of JSON when one begins and one when it ends, never changed.

| key | says |
| --- | --- |
| ``apply`` | which apply, as hex: both its lines have it; one without an end was cut off |
| ``at`` | the service's time, in seconds since 1970 (null: not told) |
| ``actor``, ``organization`` | ids of the user whose key it was, and of where |
| ``serial``, ``lineage`` | of the state that it went on from |
| ``plan`` | the digest of what was planned (`plan.digest`) |
| ``exit``, ``steps`` | in the line of the end: the exit code; verb, address, id and end of each step |

Nothing of it is ever read by lbstack, and no value of any field is in it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lbstack.state.files import make_folder, naming, require_own, sync


def note(path: Path, line: dict[str, Any]) -> None:
    """Append one line, durably. Raises OSError where that is not possible, `StateError` where the file is
    a link or somebody else's."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with naming(path):
        make_folder(path.parent)
        handle = os.open(path, flags, 0o600)
        try:
            require_own(path, handle)
            os.write(handle, json.dumps(line, separators=(",", ":")).encode() + b"\n")  # in one, or not whole
            sync(handle)
        finally:
            os.close(handle)
