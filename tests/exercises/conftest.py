"""For the tests of real exercises: a progress folder of their own, and time enough."""

import pytest

from lablib.exercises import all_exercises


@pytest.fixture
def patient_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path))
    for e in all_exercises():
        monkeypatch.setattr(e, "seconds", 300.0)  # a busy machine must not cut the search short
        monkeypatch.setattr(e, "patience", 60.0)
