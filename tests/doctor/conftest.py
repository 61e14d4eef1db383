import pytest


@pytest.fixture
def root(tmp_path):
    """The root of a machine that has nothing."""
    folder = tmp_path / "root"
    (folder / "sys/class/video4linux").mkdir(parents=True)
    (folder / "dev").mkdir()
    return folder
