"""Where the real datasets outside the repository stand, if they are there."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data() -> Path:
    """The folder of real datasets; skips the test where it is missing."""
    if not _FOLDER.is_dir():
        pytest.skip("the folder of real datasets (../shared/data) is not on this machine")
    return _FOLDER
