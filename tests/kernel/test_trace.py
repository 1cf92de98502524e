"""The trace: everything that happened, once, with what caused it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.aws.event import Event
from lablib.kernel import Kernel, Trace


@pytest.fixture
def trace():
    kernel = Kernel()
    trace = Trace(kernel)
    row = trace.open("SendMessage", "orders", "you")
    kernel.advance(0.5)
    sent = trace.add("Sent", "orders", "m1", "you", row, 11)
    kernel.advance(0.5)
    trace.complete(row, 1)
    kernel.advance(1)
    received = trace.add("Received", "orders", "m1", "consumer-1", sent, 1, until=32.0)
    kernel.advance(30)
    trace.add("BecameVisible", "orders", "m1", cause=received)
    trace.add("Sent", "other", "m2", "you")
    return trace


def test_a_row_reads_as_it_was_written(trace):
    row = trace[2]
    assert row == (2, 2.0, "Received", "orders", "m1", "consumer-1", 1, 32.0, 1)
    assert trace[-1].subject == "m2"
    assert len(trace) == 5 and [r.index for r in trace] == [0, 1, 2, 3, 4]
    with pytest.raises(IndexError, match="row 5: the trace has 5 rows"):
        trace[5]


def test_an_api_row_is_opened_at_the_call_and_completed_at_the_answer(trace):
    assert trace[0] == (0, 0.0, "SendMessage", "orders", "", "you", -1, 1.0, 1)
    assert trace.is_api(0) and not trace.is_api(1)


def test_where_takes_names_or_several_names(trace):
    assert [r.index for r in trace.where(kind=("Sent", "Received"), resource="orders")] == [1, 2]
    assert [r.index for r in trace.where(subject="m1", actor="")] == [3]
    assert trace.where(kind="NeverHappened") == []


def test_the_chain_leads_from_the_first_cause(trace):
    assert [r.kind for r in trace.chain(3)] == ["SendMessage", "Sent", "Received", "BecameVisible"]


def test_explain_uses_the_words_of_the_events_and_falls_back_to_the_bare_row(trace):
    trace.declare([Event("Sent", "sent by {actor}, {detail} bytes")])
    assert trace.explain("m1").splitlines() == [
        "     0.500 s  sent by you, 11 bytes",
        "     2.000 s  Received orders by consumer-1",
        "    32.000 s  BecameVisible orders",
    ]


@pytest.mark.parametrize("unknown", ["m3", ""])
def test_explain_of_an_unknown_subject_says_what_to_pass(trace, unknown):
    with pytest.raises(KeyError, match="pass a MessageId from its trace"):
        trace.explain(unknown)


def test_to_frame_gives_pandas(trace):
    frame = trace.to_frame()
    assert list(frame.columns) == ["time", "kind", "resource", "subject", "actor", "cause", "until", "detail"]
    assert frame["kind"].tolist() == ["SendMessage", "Sent", "Received", "BecameVisible", "Sent"]
    assert trace.to_frame(api=True)["kind"].tolist() == ["SendMessage"]
    assert len(trace.to_frame(api=False)) == 4


def test_names_and_codes_translate_both_ways(trace):
    assert trace.name(trace.code("orders")) == "orders"
    assert trace.code("never") == -1
    assert trace.column("kind")[1] == trace.code("Sent")


ROWS = st.tuples(
    st.sampled_from("ABC"), st.sampled_from("xy"), st.integers(-1, 3), st.none() | st.integers() | st.text(max_size=3)
)


def build(rows):
    trace = Trace(Kernel())
    for kind, resource, cause, detail in rows:
        trace.add(kind, resource, cause=cause, detail=detail)
    return trace


@given(st.lists(ROWS, max_size=8), st.lists(ROWS, max_size=8))
def test_equal_traces_have_equal_digests_and_others_have_not(a, b):
    assert build(a).digest() == build(a).digest()
    same = [(*r[:3], repr(r[3])) for r in a] == [(*r[:3], repr(r[3])) for r in b]
    assert (build(a).digest() == build(b).digest()) == same


def test_the_digest_is_a_fixed_function_of_the_rows(trace):
    """Golden: computed by hand from the documented columns, so that it holds on any machine."""
    sha = hashlib.sha256()
    names = "\n".join(
        ["", "SendMessage", "orders", "you", "Sent", "m1", "Received", "consumer-1", "BecameVisible", "other", "m2"]
    )
    sha.update(names.encode())
    import struct

    def pack(code, values):
        sha.update(b"".join(struct.pack("<" + code, v) for v in values))

    pack("d", [0.0, 0.5, 2.0, 32.0, 32.0])
    pack("i", [1, 4, 6, 8, 4])
    pack("i", [2, 2, 2, 2, 9])
    pack("i", [0, 5, 5, 5, 10])
    pack("i", [3, 3, 7, 0, 3])
    pack("i", [-1, 0, 1, 2, -1])
    pack("d", [1.0, 0.0, 32.0, 0.0, 0.0])
    sha.update(b"[1, 11, 1, null, null]")
    assert trace.digest() == sha.hexdigest()[:16]
