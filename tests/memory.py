"""Folders in memory: what is synced there is not waited for."""

from __future__ import annotations

import shutil
from pathlib import Path

_SHARED = "/dev/shm"
ENOUGH = 1 << 29
"""Bytes that the fullest of the batteries needs, ten times over."""

MEMORY = _SHARED if Path(_SHARED).is_dir() and shutil.disk_usage(_SHARED).free > ENOUGH else None
"""Such a folder with room, as `tempfile` takes it; None where there is none."""
