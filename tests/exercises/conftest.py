"""For the tests of real exercises: a progress folder of their own."""

import pytest


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path))
