"""Recorded refusals of AWS, against ours: code, status and text, word for word. See `refused.py`."""

import pytest
from knowledge.refusals import TABLE
from knowledge.refused import same

# A number that AWS's program made up as it ran, and the column of a mistake in a filter that is JSON (DESIGN.md).
DIFFERENT = {
    ("sns.SetSubscriptionAttributes", "RedrivePolicy='{invalidjson}'"),
    ("sns.SetSubscriptionAttributes", "FilterPolicy: a text where a list should be"),
}


@pytest.mark.recorded
@pytest.mark.parametrize("refusal", TABLE, ids=lambda refusal: f"{refusal.operation}: {refusal.input}")
def test_it_is_refused_as_it_was_recorded(refusal):
    ours, aws = refusal.ours(), refusal.aws()
    if (refusal.operation, refusal.input) in DIFFERENT:
        assert ours["Code"] == aws["Code"]
        assert not same(refusal, ours), "it is the same now: take it off the list"
    else:
        assert same(refusal, ours), f"{ours} is not {aws}"


def test_nearly_all_recorded_refusals_are_ours():
    assert len(DIFFERENT) <= 0.05 * len(TABLE)
