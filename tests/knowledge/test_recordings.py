"""What AWS was recorded to do, against the lab: one test a recording. See `recordings.py`."""

import pytest
from knowledge.recordings import Lab
from knowledge.suites import SUITES

CHECKED = [(suite, recording) for suite in SUITES for recording in suite.recordings.values() if recording.check]


@pytest.mark.recorded
@pytest.mark.parametrize(("suite", "recording"), CHECKED, ids=[f"{suite.name}: {r.name}" for suite, r in CHECKED])
def test_the_lab_does_what_was_recorded(suite, recording):
    if recording.kind == "differs":
        assert not recording.holds(), "it is the same now: say so"
    else:
        recording.check(Lab(recording.assume))
