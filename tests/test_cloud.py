"""The cloud: everything put together, from one seed."""

import gc
import subprocess
import sys
import time
import weakref

import pytest

from lablib import Cloud

STORY = """
import time
from lablib import Cloud, Fault
def story(seed):
    with Cloud(seed=seed, assume={"sqs.outages_per_hour": 30}) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "4"})["QueueUrl"]
        cloud.faults.add(Fault("lost_answer", operations=("SendMessage",), probability=0.05),
                         Fault("throttle", probability=0.05, callers="consumer-*"))
        def producer():
            for i in range(60):
                sqs.send_message(QueueUrl=url, MessageBody=f"order {i}")
                time.sleep(0.5)
        def consumer():
            while True:
                for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=3).get("Messages",
                []):
                    time.sleep(1.5)
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
        cloud.spawn(producer)
        for i in range(3):
            cloud.spawn(consumer, name=f"consumer-{i + 1}")
        cloud.advance(120)
        return cloud.trace.digest(), len(cloud.trace)
"""


def story(seed):
    scope = {}
    exec(STORY, scope)
    return scope["story"](seed)


def test_the_same_seed_gives_the_same_trace_whatever_the_hash_seed():
    here = story(7)
    assert here == story(7) != story(8)
    for hash_seed in ("0", "4242"):
        out = subprocess.run(
            [sys.executable, "-c", STORY + "print(*story(7))"],
            capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed},
        )  # fmt: skip
        assert out.stdout.split() == [str(x) for x in here]


def test_splitting_a_run_changes_nothing():
    def digest(pieces):
        with Cloud(seed=2) as cloud:
            sqs = cloud.direct("sqs")
            url = sqs.create_queue(QueueName="q")["QueueUrl"]

            def producer():
                for _ in range(50):
                    sqs.send_message(QueueUrl=url, MessageBody="x")
                    time.sleep(1)

            cloud.spawn(producer)
            start = cloud.now
            for i in range(1, pieces + 1):
                cloud.kernel.run(until=start + 60 * i / pieces)
            return cloud.trace.digest()

    assert digest(1) == digest(3) == digest(60)


def test_run_returns_what_the_function_returns_and_its_sleep_is_virtual():
    with Cloud() as cloud:
        assert cloud.run(lambda a: time.sleep(3600) or a + 1, 41) == 42
        assert cloud.now == 3600


def test_run_raises_what_the_function_raises():
    with Cloud() as cloud, pytest.raises(ZeroDivisionError):
        cloud.run(lambda: 1 / 0)


def test_run_works_inside_a_process_too():
    with Cloud() as cloud:
        assert cloud.run(lambda: cloud.run(lambda: time.sleep(5) or "inner")) == "inner"


MIX_UP = r"^this call goes to Cloud\(seed=1\), but consumer runs in Cloud\(seed=2\): use a client of"


@pytest.mark.parametrize("face", ["client", "direct"])
def test_a_client_of_one_cloud_in_a_process_of_another_moves_nothing(face):
    with Cloud(seed=1) as old, Cloud(seed=2) as new:
        sqs = getattr(old, face)("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        before = (old.now, len(old.trace))

        def consumer():
            while True:
                sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)

        new.spawn(consumer)
        with pytest.raises(RuntimeError, match=MIX_UP):
            new.advance(60)
        assert (old.now, len(old.trace)) == before
        old.spawn(consumer)
        old.advance(60)
        assert old.now == before[0] + 60, "in its own cloud it works"


def test_two_clouds_cannot_call_each_other():
    with Cloud(seed=1) as one, Cloud(seed=2) as two:
        two.spawn(lambda: one.advance(5), name="consumer")
        with pytest.raises(RuntimeError, match=MIX_UP):
            two.advance(5)
        one.spawn(lambda: two.advance(5))
        with pytest.raises(RuntimeError, match=r"goes to Cloud\(seed=2\), but <lambda> runs in Cloud\(seed=1\)"):
            one.advance(5)
        assert one.now == two.now == 0


def test_a_program_may_have_a_cloud_of_its_own():
    def program():
        with Cloud(seed=2) as inner:
            sqs = inner.client("sqs")
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]
            inner.spawn(lambda: sqs.send_message(QueueUrl=url, MessageBody="x"), name="producer")
            inner.advance(60)
            return len(inner.trace.where("Sent")), inner.now > 60

    with Cloud(seed=1) as outer:
        assert outer.run(program) == (1, True)
        assert outer.now == 0


def test_it_may_be_imported_under_a_clock_that_is_faked():
    code = (
        "import freezegun; freezegun.freeze_time('2024-01-01').start(); from lablib import Cloud; import time\n"
        "with Cloud(seed=1) as cloud:\n"
        "    print(cloud.run(lambda: time.sleep(5) or time.monotonic()), time.time())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "5.0 1704067200.0\n", result.stderr


def test_four_days_take_no_time():
    began = time.perf_counter()
    with Cloud() as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="x")
        cloud.advance(4 * 86400)
        assert [row.kind for row in cloud.trace][-1] == "Expired"
    assert time.perf_counter() - began < 5


def test_the_api_log_is_our_cloudtrail():
    with Cloud() as cloud:
        cloud.client("sqs").create_queue(QueueName="q")
        log = cloud.api_log
        assert log["kind"].tolist() == ["CreateQueue"] and log["actor"].tolist() == ["you"]


def test_closing_ends_processes_and_keeps_the_trace():
    cloud = Cloud()
    ended = []

    def worker():
        try:
            time.sleep(1e9)
        finally:
            ended.append(True)

    cloud.spawn(worker)
    cloud.advance(1)
    cloud.close()
    assert ended == [True]
    assert len(cloud.trace) == 0
    with pytest.raises(RuntimeError, match="closed"):
        cloud.client("sqs").list_queues()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Cloud(limits="2024"), "limits='2024': must be one of '2023', 'today'"),
        (lambda: Cloud(assume={"sqs.server": 3}), "assume: no quota is called 'sqs.server'; near it: .*sqs.servers"),
        (lambda: Cloud(assume={"sqs.servers": -1}), "assume: sqs.servers=-1: must be from"),
        (lambda: Cloud(assume={"sqs.message_size": 1}), "is a documented quota of AWS"),
        (lambda: Cloud().advance(-1), "seconds=-1: must be a number of seconds, zero or more"),
        (lambda: Cloud().kill("nobody"), "no process is called 'nobody'; there are: none"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_clear_line(make, text):
    with pytest.raises((ValueError, KeyError), match=text):
        make()


@pytest.mark.parametrize("name", ["seoul", "us-east", "", "US-EAST-1"])
def test_a_region_has_the_form_of_one(name):
    with pytest.raises(ValueError, match='must be the name of a region, such as "ap-northeast-2"'):
        Cloud(region_name=name)
    if name:
        with Cloud() as cloud, pytest.raises(ValueError, match="region_name="):
            cloud.client("sqs", region_name=name)


def test_who_keeps_the_trace_of_a_closed_cloud_keeps_no_cloud():
    def trace_of(seed):
        with Cloud(seed=seed) as cloud:
            sqs = cloud.client("sqs")
            url = sqs.create_queue(QueueName="q")["QueueUrl"]

            def wait():
                while True:
                    sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)

            for _ in range(5):
                cloud.spawn(wait)
            sqs.send_message(QueueUrl=url, MessageBody="x")
            cloud.advance(50)
            return cloud.trace, weakref.ref(cloud), weakref.ref(cloud.kernel), weakref.ref(cloud.service("sqs"))

    kept = [trace_of(seed) for seed in range(20)]
    gc.collect()
    assert [ref() for _, *refs in kept for ref in refs] == [None] * 60
    assert all(trace.where("Sent") and trace.explain(trace.where("Sent")[0].subject) for trace, *_ in kept)
