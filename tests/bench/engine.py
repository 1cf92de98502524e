"""Budgets of the engine: what a call costs, what a message costs, how that grows."""

import gc
import queue
import subprocess
import sys
import threading
import time
import tracemalloc

import botocore.validate
import simpy_model
from botocore import xform_name

from lablib import Cloud
from lablib.kernel import Kernel, Signal
from lablib.kernel.stdlib.clocks import real_perf_counter as clock

ATTRIBUTES = {"kind": {"DataType": "String", "StringValue": "video"}}
RECEIVE = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "VisibilityTimeout": 30, "MessageAttributeNames": ["All"]}


def best(measure, times=5):
    """The smallest of several measurements: what disturbs a measurement only ever adds to it."""
    gc.collect()
    return min(measure() for _ in range(times))


def timed(fn, *args):
    began = clock()
    fn(*args)
    return clock() - began


def plain_lives(sqs, url, n):
    for _ in range(n):
        sqs.send_message(QueueUrl=url, MessageBody="hello")
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get(
            "Messages", []
        ):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def call_against_validation(n=1500):
    """A boto3 call, over botocore's own validation of its parameters: n sends, then n receives, then n deletes."""
    validator = botocore.validate.ParamValidator()

    def measure():
        handles = []
        send = {"QueueUrl": url, "MessageBody": "hello", "MessageAttributes": ATTRIBUTES}
        receive = {"QueueUrl": url, **RECEIVE, "MaxNumberOfMessages": 1}
        whole = validation = 0.0
        for name in ("SendMessage", "ReceiveMessage", "DeleteMessage"):
            method, shape = getattr(sqs, xform_name(name)), sqs.meta.service_model.operation_model(name).input_shape
            prepared = [send] * n if name == "SendMessage" else [receive] * n
            if name == "DeleteMessage":
                prepared = [{"QueueUrl": url, "ReceiptHandle": handle} for handle in handles]
            gc.collect()
            began = clock()
            for params in prepared:
                answer = method(**params)
                if "Messages" in answer:
                    handles.append(answer["Messages"][0]["ReceiptHandle"])
            middle = clock()
            for params in prepared:
                validator.validate(params, shape).has_errors()
            whole, validation = whole + middle - began, validation + clock() - middle
        return whole / validation, whole / n / 3, validation / n / 3

    with Cloud(seed=1) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
        results = cloud.run(lambda: sorted(measure() for _ in range(9)))
    ratio, call, validation = results[len(results) // 2]
    return ratio, f"{call * 1e6:.1f} us a call, its validation {validation * 1e6:.1f} us (median of 9)"


def simpy_life(n=4000):
    """Seconds that a message's life takes in SimPy: how quick this machine is at present."""
    return best(lambda: timed(simpy_model.lives, n), 4) / n


def life_against_simpy(n=4000):
    """Lives a second through the front door, over those of the SimPy model."""

    def ours():
        with Cloud(seed=1) as cloud:
            sqs = cloud.direct("sqs")
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]
            return cloud.run(lambda: timed(plain_lives, sqs, url, n))

    ours_best, theirs_best = float("inf"), float("inf")
    for _ in range(4):  # in turn, so that both see the same machine
        ours_best = min(ours_best, ours())
        theirs_best = min(theirs_best, timed(simpy_model.lives, n))
    return theirs_best / ours_best, f"{ours_best / n * 1e6:.1f} us a life, SimPy {theirs_best / n * 1e6:.1f} us"


def crowd_against_simpy(n=4000, pairs=4):
    """Lives a second of four producers and four consumers at the same time, over those of the SimPy model."""

    def ours():
        with Cloud(seed=1) as cloud:
            sqs, left = cloud.direct("sqs"), [n]
            url = sqs.create_queue(QueueName="orders")["QueueUrl"]

            def producer():
                for _ in range(n // pairs):
                    sqs.send_message(QueueUrl=url, MessageBody="hello")

            def consumer():
                while left[0]:
                    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20).get(
                        "Messages", ()
                    ):
                        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                        left[0] -= 1
                over.fire()

            over = Signal(cloud.kernel)
            for _ in range(pairs):
                cloud.spawn(producer)
                cloud.spawn(consumer)
            return timed(cloud.kernel.wait, over)

    ours_best, theirs_best = float("inf"), float("inf")
    for _ in range(6):  # in turn, so that both see the same machine
        ours_best = min(ours_best, ours())
        theirs_best = min(theirs_best, timed(simpy_model.crowd, n, pairs))
    return theirs_best / ours_best, f"{ours_best / n * 1e6:.1f} us a life, SimPy {theirs_best / n * 1e6:.1f} us"


def spawn_of_one_name(n=5000):
    """Seconds to spawn and end n processes with one name, over those with n names."""

    def measure(one):
        kernel = Kernel()
        names = ["visitor" if one else f"visitor {i}" for i in range(n)]

        def work():
            for name in names:
                kernel.spawn(kernel.sleep, 1.0, name=name)
            kernel.advance(2)

        return timed(work)

    one, distinct = best(lambda: measure(True), 5), best(lambda: measure(False), 5)
    return one / distinct, f"{one / n * 1e6:.1f} us a process, {distinct / n * 1e6:.1f} us with names of their own"


def stdlib_against_wait(n=3000):
    """What a `time.sleep`, a lock handed over and an item through a SimpleQueue cost, over a wait of the kernel.

    `queue.Queue` is told beside them: its own Python code takes eight locks an item.
    """

    def two(first, second):
        for each in (first, second):
            threading.Thread(target=lambda each=each: [each() for _ in range(n)]).start()

    def waits(kernel):
        two(lambda: kernel.sleep(1), lambda: kernel.sleep(1))

    def sleeps(kernel):
        two(lambda: time.sleep(1), lambda: time.sleep(1))

    def hands_over_a_lock(kernel):
        lock = threading.Lock()

        def hold():
            with lock:
                kernel.sleep(1)

        two(hold, hold)

    def puts_and_gets(kernel, kind=queue.SimpleQueue):
        items = kind()
        two(lambda: (kernel.sleep(1), items.put(1)), items.get)

    def measure(program):
        kernel = Kernel()
        kernel.spawn(program, kernel)
        return timed(kernel.advance, 3 * n)

    programs = {"wait": waits, "sleep": sleeps, "lock": hands_over_a_lock, "SimpleQueue": puts_and_gets}
    programs["Queue"] = lambda kernel: puts_and_gets(kernel, queue.Queue)
    cost = {name: best(lambda program=program: measure(program), 7) / (2 * n) for name, program in programs.items()}
    said = ", ".join(f"{name} {seconds * 1e6:.1f}" for name, seconds in cost.items())
    return max(cost[name] for name in ("sleep", "lock", "SimpleQueue")) / cost["wait"], f"us a turn: {said}"


def life_against_moto(n=60):
    """Lives a second through boto3, over moto's through boto3."""
    import boto3
    from moto import mock_aws

    def theirs():
        with mock_aws():
            moto = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
            url = moto.create_queue(QueueName="orders")["QueueUrl"]
            plain_lives(moto, url, 5)
            return timed(plain_lives, moto, url, n) / n

    with Cloud(seed=1) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]
        ours_best, theirs_best = float("inf"), float("inf")
        for _ in range(4):  # in turn, so that both see the same machine
            ours_best = min(ours_best, cloud.run(lambda: timed(plain_lives, sqs, url, 30 * n)) / n / 30)
            theirs_best = min(theirs_best, theirs())
    return theirs_best / ours_best, f"{ours_best * 1e6:.1f} us a life, moto {theirs_best * 1e6:.0f} us"


def fifo_against_standard(n=3000):
    """A life on a FIFO queue with a hundred groups and a backlog, over one on a standard queue."""

    def lives(fifo):
        with Cloud(seed=2, limits="today", assume={"sqs.fifo_burst": 60}) as cloud:
            sqs = cloud.direct("sqs")
            high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
            attributes = {"FifoQueue": "true"} | high if fifo else {}
            url = sqs.create_queue(QueueName="q.fifo" if fifo else "q", Attributes=attributes)["QueueUrl"]

            def send(i):
                own = {"MessageGroupId": f"truck-{i % 100}", "MessageDeduplicationId": str(i)} if fifo else {}
                sqs.send_message(QueueUrl=url, MessageBody="x", **own)

            def live():
                for i in range(n, 2 * n):
                    send(i)
                    for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", ()):
                        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

            for i in range(n):
                send(i)
            return cloud.run(lambda: timed(live))

    fifo, standard = best(lambda: lives(True), 3), best(lambda: lives(False), 3)
    return fifo / standard, f"{fifo / n * 1e6:.1f} us a FIFO life, {standard / n * 1e6:.1f} us a standard one"


def grow(n):
    """Send n messages, then receive and delete them all. Returns the seconds that it took."""
    with Cloud(seed=1, assume={"sqs.outages_per_hour": 0}) as cloud:
        sqs = cloud.direct("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]

        def program():
            for _ in range(n // 10):
                sqs.send_message_batch(
                    QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": "hello"} for i in range(10)]
                )
            left = n
            while left:
                messages = sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, VisibilityTimeout=43200
                )
                for message in messages["Messages"]:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                left -= len(messages["Messages"])

        return timed(cloud.run, program)


def cost_growth(large=1_000_000):
    """Time a message, with `large` messages in the queue over that with 1,000.

    The small one is a median, because the large one is an average too. Like `timeit`, without the time of Python's
    cyclic garbage collection, which looks through all objects of the process again and again; it is reported.
    """
    collecting = [0.0]

    def watch(phase, info):
        collecting[0] += clock() if phase == "stop" else -clock()

    def cost(n):
        collecting[0] = 0.0
        whole = grow(n)
        return (whole - collecting[0]) / n

    gc.callbacks.append(watch)
    small = sorted(cost(1000) for _ in range(31))[15]
    big = cost(large)
    gc.callbacks.remove(watch)
    how = f"{small * 1e6:.1f} us a message at 1,000, {big * 1e6:.1f} us at {large:,}"
    return big / small, f"{how}, and {collecting[0] / large * 1e6:.1f} us of garbage collection"


def memory(n=100_000):
    """Bytes a message, at the peak: all of them waiting in the queue, then their whole lives in the trace."""
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    grow(n)
    peak = tracemalloc.get_traced_memory()[1] - began
    tracemalloc.stop()
    return peak / n, f"peak of {n:,} messages sent, waiting, received, deleted"


def an_hour(seed=7):
    """5,000 messages, 4 consumers, one virtual hour through boto3: seconds, and the digest."""
    began = clock()
    with Cloud(seed=seed) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="orders")["QueueUrl"]

        def producer():
            for i in range(5000):
                sqs.send_message(QueueUrl=url, MessageBody=f"order {i}")
                time.sleep(0.7)

        def consumer():
            while True:
                for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10).get(
                    "Messages", []
                ):
                    time.sleep(2)
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

        cloud.spawn(producer)
        for i in range(4):
            cloud.spawn(consumer, name=f"consumer-{i + 1}")
        cloud.advance(3600)
        deleted = len(cloud.trace.where(kind="Deleted"))
        return clock() - began, cloud.trace.digest(), deleted


def hour():
    """Seconds for the virtual hour; fails when a second run gives another digest."""
    (first, digest, deleted), (second, again, _) = an_hour(), an_hour()
    if digest != again or deleted < 4990:
        raise AssertionError(f"the same seed gave {digest} and {again}, {deleted} messages done")
    return min(first, second), f"twice digest {digest}, {deleted:,} messages done"


def import_time():
    """Seconds for `import lablib`, in a fresh interpreter, over that of an empty program."""
    code = "import time; t = time.perf_counter(); import lablib; print(time.perf_counter() - t)"
    return best(lambda: float(subprocess.check_output([sys.executable, "-c", code])), 5), "fresh interpreter, best of 5"
