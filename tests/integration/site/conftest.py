from pathlib import Path

import pytest

from .project_copy import copy_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project that was never started."""
    return copy_project(tmp_path_factory.mktemp("project"))
