"""Tokens: who has what, where, when. What they say of an instant is what a count of the trace's rows by hand says."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lablib.measures.document import describe
from lablib.scenarios import Action
from lablib.scenarios.lab01 import Fleet, VideoQueue
from lablib.scenarios.lab02 import Visibility
from lablib.scenarios.lab02b import QueueToFunction
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.run import check, simulate

CRASH = Action("crash", 20.0, "consumer-1")
FREEZE = Action("freeze", 30.0, "consumer-2", 25.0)


def fresh(scenario, seed=0, actions=(), until=None):
    return simulate(*check(scenario, seed, tuple(actions), until, "2023"))


def by_hand(run, t):
    """From the rows until `t`: what lies in queues, who has received what, who works on what, what nobody has."""
    trace = run.trace
    state, last, held, work, frozen = {}, {}, {}, {}, set()
    for row in trace:
        if row.time > t:
            break
        m, who, kind = row.subject, row.actor, row.kind
        if kind in ("Sent", "BecameVisible", "MovedToBack", "CopyReturned", "Accepted"):
            state[m] = ("delayed" if kind == "Sent" and row.until > t else "waiting", row.resource)
        elif kind == "VisibilityChanged":
            state[m] = ("hidden", row.resource)
        elif kind == "Received":
            state[m], last[m] = ("hidden", row.resource), who
            call = trace[row.cause]
            if isinstance(call.detail, str):  # the answer is lost
                held.pop((who, m), None)
            else:
                held[who, m] = math.inf if call.detail is None else call.until
        elif kind in ("Deleted", "Expired"):
            state.pop(m, None)
            held.pop((who, m), None)
        elif kind == "MovedToDeadLetterQueue":
            state[m] = ("waiting", row.detail)
        elif kind == "DeleteIgnored":
            held.pop((who, m), None)
        elif kind == "WorkStarted":
            work[who] = m
            if trace[row.cause].kind == "Accepted":
                state.pop(m)
                held[who, m] = row.time
        elif kind == "WorkEnded":
            work.pop(who)
            if row.detail == "failed" or row.resource == "workers":
                held.pop((who, m), None)
        elif kind == "Crashed":
            work.pop(who, None)
            frozen.discard(who)
            held = {key: at for key, at in held.items() if key[0] != who}
        elif kind == "Frozen":
            frozen.add(who)
        elif kind == "Unfrozen":
            frozen.discard(who)
    lying = {(m, *where) for m, where in state.items()}
    nobody = {m for m, where in state.items() if where[0] == "hidden" and
              ((last[m], m) not in held or last[m] in frozen)}  # fmt: skip
    return lying, {key for key, at in held.items() if at <= t}, set(work.items()), nobody


def by_tokens(run, t):
    found = run.tokens
    name = found.name
    now = [x for x in found.tokens if x.start <= t and (x.end is None or t < x.end)]
    lying = {(name(x.subject), x.state, name(x.resource)) for x in now if x.state in ("waiting", "delayed", "hidden")}
    held = {(name(x.holder), name(x.subject)) for x in now if x.state == "held"}
    work = {(name(x.holder), name(x.subject)) for x in now
            if x.work_from is not None and x.work_from <= t and (x.work_until is None or t < x.work_until)}  # fmt: skip
    nobody = {name(x.subject) for x in now if x.orphan_from is not None}
    assert all(x.state == "hidden" and x.orphan_from <= t for x in now if x.orphan_from is not None)
    return lying, held, work, nobody


scenarios = st.one_of(
    st.builds(
        Visibility,
        visibility_timeout=st.sampled_from([5, 8, 20, 60]),
        crashes=st.sampled_from([0.0, 0.3]),
        heartbeat=st.sampled_from([0.0, 3.0]),
        poison=st.sampled_from([0.0, 0.3]),
        max_receives=st.sampled_from([0, 2]),
        batch_size=st.sampled_from([1, 3]),
    ),
    st.builds(
        Trucks,
        queue_type=st.sampled_from(["fifo", "standard"]),
        crashes=st.sampled_from([0.0, 0.1]),
        visibility_timeout=st.sampled_from([2, 30]),
    ),
    st.builds(
        VideoQueue,
        mode=st.sampled_from(["queue", "direct"]),
        work=st.sampled_from([0.5, 3.0]),
        visibility_timeout=st.sampled_from([2, 30]),
    ),
    st.builds(Fleet, batch_size=st.sampled_from([1, 4])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    scenario=scenarios,
    seed=st.integers(0, 10**6),
    actions=st.lists(st.sampled_from([CRASH, FREEZE]), unique=True),
    instants=st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_what_tokens_say_of_an_instant_is_what_the_rows_say(scenario, seed, actions, instants):
    run = fresh(scenario, seed, actions, until=60.0)
    for part in instants:
        t = part * run.until
        for what, said, counted in zip(("lying", "held", "work", "nobody"), by_tokens(run, t), by_hand(run, t)):
            assert said == counted, (what, t)


def test_two_workers_on_one_message_are_two_tokens_beside_that_of_the_queue():
    """Critique of the picture: four workers busy with two messages, none of them idle."""
    run = fresh(Visibility(visibility_timeout=8, rate=0.1), 5)
    lying, held, work, _ = by_tokens(run, 26.0)
    assert len(work) == 4 and len({message for _, message in work}) == 2
    assert {state for _, state, _ in lying} == {"hidden", "waiting"}
    assert held == work


def test_what_a_crashed_worker_had_is_hidden_and_nobody_works_on_it():
    run = fresh(Visibility(visibility_timeout=45), 7, [Action("crash", 38.0, "consumer-1")])
    (crash,) = run.trace.where("Crashed")
    before, after = by_tokens(run, 37.9), by_tokens(run, 38.0)
    (lost,) = after[3]
    assert ("consumer-1", lost) in before[2] and before[3] == set()
    assert not any(message == lost for _, message in after[1])
    cut = next(x for x in run.tokens.tokens if x.last_row == crash.index and x.state == "held")
    assert (cut.because, cut.work_until) == ("crashed", None)


def test_a_frozen_worker_has_its_message_and_does_not_work_on_it():
    run = fresh(Visibility(visibility_timeout=60), 7, [Action("freeze", 38.0, "consumer-1", 10.0)])
    assert by_tokens(run, 37.9)[3] == by_tokens(run, 48.0)[3] == set()
    (message,) = by_tokens(run, 40.0)[3]
    assert ("consumer-1", message) in by_tokens(run, 40.0)[1]


def test_a_message_is_in_no_hand_when_the_answer_with_it_was_lost():
    from lablib.cloud import Cloud
    from lablib.gateway import AnswerLost, Fault
    from lablib.measures.tokens import fold

    cloud = Cloud()
    sqs = cloud.direct("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    cloud.faults.add(Fault("lost_answer", ("ReceiveMessage",), count=1))
    with pytest.raises(AnswerLost):
        sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)
    tokens = fold(cloud.trace).tokens
    assert [(x.state, x.orphan_from is not None) for x in tokens[:2]] == [("waiting", False), ("hidden", True)]
    assert not any(x.state == "held" for x in tokens)


def test_a_batch_is_worked_on_one_after_the_other_and_held_from_the_start():
    run = fresh(Visibility(batch_size=3, rate=1.0, consumers=1), 1, until=100.0)
    first = next(r for r in run.trace.where("Received") if run.trace[r.cause].detail == 3)
    mine = [x for x in run.tokens.tokens if x.state == "held" and run.trace[x.row].cause == first.cause]
    assert len({x.start for x in mine}) == 1 and len({x.work_from for x in mine}) == 3


# ---- the document ----------------------------------------------------------------------------------------------------


def test_a_function_has_a_message_twice_when_it_comes_again_before_the_call_with_it_has_ended():
    run = fresh(QueueToFunction(batch_size=100, window=60, rate=8, reserved=1, work=1, timeout=120), seed=7)
    numbers = {number: subject for subject, number in run.tokens.subjects.items()}
    first, second = [t for t in run.tokens.tokens if t.subject == numbers[94] and t.state == "held"]
    assert (first.delivery, second.delivery) == (1, 2)
    assert first.work_from < second.start < first.work_until == first.end, "the second receive ends nothing"
    assert first.because == "ignored", "the delete with its receipt handle did nothing"
    assert second.work_from is None and second.because == "ignored"
    assert second.end == run.trace.where("BatchReleased", subject=run.tokens.name(numbers[94]))[-1].time
    hidden = [t for t in run.tokens.tokens if t.subject == numbers[94] and t.state == "hidden"][-1]
    assert hidden.orphan_from == second.end, "until then it is in Lambda's hands"


def test_the_columns_of_a_table_have_one_length_and_names_are_indices():
    run = fresh(Trucks(crashes=0.1), 3)
    document = describe(run)
    tokens, messages = document["tokens"], document["messages"]
    assert {len(column) for column in tokens.values()} == {len(run.tokens.tokens)}
    assert len({len(column) for column in messages.values()}) == 1
    for column, table in (("message", messages["born"]), ("holder", document["actors"]), ("place", document["places"]),
                          ("state", document["states"]), ("ended", document["reasons"])):  # fmt: skip
        assert min(tokens[column]) >= -1 and max(tokens[column]) < len(table)
    assert min(tokens["place"]) >= 0
    assert {document["places"][p]["id"] for p in messages["from"]} == {"front-end"}
    assert max(messages["group"]) + 1 == len(document["groups"]) == 12
    assert all(math.isnan(b) or a <= b for a, b in zip(messages["born"], messages["gone"]))


def test_spans_of_actors_and_counters_are_those_of_the_run():
    run = fresh(Visibility(visibility_timeout=45), 7, [Action("crash", 38.0, "consumer-1")])
    document = describe(run)
    spans = {actor["name"]: actor["spans"] for actor in document["actors"]}
    assert spans["consumer-1"] == [(0.0, 38.0, "up"), (38.0, 58.0, "down"), (58.0, None, "up")]
    assert spans["consumer-2"] == [(0.0, None, "up")]
    last = {name: steps["y"][-1] for name, steps in document["counters"].items()}
    m = run.measures
    assert (last["sent"], last["waiting"], last["hidden"]) == (m.sent, m.depth().last, m.in_flight().last)
    (crash,) = [event for event in document["events"] if event["kind"] == "crash"]
    assert document["actors"][crash["actor"]]["name"] == "consumer-1" and crash["big"]


def test_it_is_known_how_long_work_was_going_to_take_that_a_crash_cut_off():
    """The bar in the picture needs it: how much of the work was done."""
    run = fresh(Visibility(visibility_timeout=45), 7, [Action("crash", 38.0, "consumer-1")])
    (cut,) = [x for x in run.tokens.tokens if x.because == "crashed"]
    same = next(x for x in run.tokens.tokens if x.subject == cut.subject and x.work_until is not None)
    assert cut.work_from < 38.0 < cut.work_end
    assert cut.work_end - cut.work_from == pytest.approx(same.work_until - same.work_from)


# ---- what other services will need -----------------------------------------------------------------------------------


def test_a_record_stays_while_readers_move():
    """A stream: reading takes nothing away, and each reader stands at a record of its own."""
    from lablib.aws.event import KEPT, Event
    from lablib.cloud import Cloud
    from lablib.measures.tokens import fold

    cloud = Cloud()
    add = cloud.trace.add
    cloud.trace.declare([Event("RecordPut", state=KEPT, counts="sent"), Event("RecordRead", holder="reads")])
    for n in range(3):
        add("RecordPut", "shard-1", f"record-{n}", "car")
    for reader, record in (("A", 0), ("B", 0), ("A", 1)):
        cloud.advance(1)
        add("RecordRead", "shard-1", f"record-{record}", reader)
    found = fold(cloud.trace)
    now = [(found.name(x.subject), x.state, found.name(x.holder)) for x in found.tokens if x.end is None]
    assert now == [
        ("record-0", "kept", ""), ("record-1", "kept", ""), ("record-2", "kept", ""),
        ("record-0", "reading", "B"), ("record-1", "reading", "A"),
    ]  # fmt: skip


def test_the_way_to_the_document_is_light():
    """From a run to what the page needs nothing imports numpy or pandas: they take longer than the run."""
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from lablib.scenarios.lab04 import FanOut\n"
        "from lablib.measures import compare\n"
        "from lablib.measures.document import describe\n"
        "run = FanOut().run(seed=1, until=30.0)\n"
        "describe(run), repr(run), run.measures.summary(), run.measures.at(3.0), run.share()\n"
        "run.explain(run.trace.where('Ordered')[0].subject), compare(run, FanOut().run(seed=2, until=30.0))\n"
        "assert not {'numpy', 'pandas', 'plotly'} & sys.modules.keys(), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
