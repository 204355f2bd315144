"""A desk with an empty folder."""

from pathlib import Path

import pytest

from tests.stack.made_up import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
