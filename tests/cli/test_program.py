"""`messaging-lab run program.py`: somebody's own program, unmodified, in a cloud of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from lablib.cli import main, program

SHOP = """
    import json, random, threading, time
    import boto3
    import prices

    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    done = []

    def produce():
        for n in range(8):
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"order": n}))
            time.sleep(random.uniform(0, 1))

    def consume():
        while len(set(done)) < 8:
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", []):
                time.sleep(random.expovariate(2))
                done.append(json.loads(message["Body"])["order"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    if __name__ == "__main__":
        threads = [threading.Thread(target=work, name=work.__name__) for work in (produce, consume)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done", sorted(set(done)), prices.count())

    def assert_that(trace):
        assert len(done) == len(set(done)), "an order was done twice"
"""


DEADLOCK = """
    import threading, time
    a, b = threading.Lock(), threading.Lock()
    def f():
        with a:
            time.sleep(1)
            b.acquire()
    def g():
        with b:
            time.sleep(1)
            a.acquire()
    for work in (f, g):
        threading.Thread(target=work, name=work.__name__).start()
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="shop.py"):
        path = tmp_path / name
        path.write_text(dedent(text))
        return str(path)

    (tmp_path / "prices.py").write_text("calls = []\ndef count():\n    calls.append(1)\n    return len(calls)\n")
    return write


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            code = main(["run", *map(str, arguments)])
        except SystemExit as stopped:
            code = stopped.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_program_runs_with_its_threads_modules_and_prints_and_the_numbers_follow(write, run):
    path = write(SHOP)
    code, out, err = run(path, "--seed", 7)
    assert (code, err) == (0, "")
    assert "done [0, 1, 2, 3, 4, 5, 6, 7] 1\n" in out
    assert re.search(r"^shop\.py \(seed 7, limits 2023, [\d.]+ virtual seconds\)$", out, re.MULTILINE)
    assert re.search(r"^shop/produce +SendMessage 8$", out, re.MULTILINE)
    assert re.search(r"^shop/consume +.*DeleteMessage 8", out, re.MULTILINE)
    for label in ("cost", "duplicates", "left", "went wrong", "API calls"):
        assert re.search(rf"^{label}  ", out, re.MULTILINE), label


def test_the_same_seed_gives_the_same_run_also_after_other_runs(write, run):
    path = write(SHOP)
    first = run(path, "--seed", 7)
    assert run(path, "--seed", 8) != first
    assert run(path, "--seed", 7) == first


SETS = """
    import boto3
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for name in {"apple", "pear", "plum", "fig", "kiwi", "cherry"}:
        sqs.send_message(QueueUrl=url, MessageBody=name * len(name))
"""


def test_the_order_of_a_set_is_the_same_in_every_interpreter(write):
    path, digests = write(SETS), set()
    for hash_seed in ("random", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", "from lablib.cli import main; raise SystemExit(main())", "run", path],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
        )
        digests.add(re.search(r"^digest +(\w+)", done.stdout, re.MULTILINE)[1])
    assert len(digests) == 1


def test_after_a_run_nothing_of_the_program_is_left_in_the_interpreter(write, run):
    before = sys.argv, sys.path[:], sys.modules["__main__"]
    run(write(SHOP))
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before
    assert "prices" not in sys.modules


def test_what_follows_two_dashes_goes_to_the_program(write, run):
    code, out, _ = run(write("import sys\nprint(sys.argv[1:])"), "--", "--fast", "7")
    assert (code, out.splitlines()[0]) == (0, "['--fast', '7']")


def test_the_story_of_a_message_and_the_trace_as_a_table(write, run):
    path = write(SHOP)
    _, out, _ = run(path, "--trace")
    sent = [line.split() for line in out.splitlines() if re.match(r" +[\d.]+  Sent ", line)]
    assert len(sent) == 8
    id = sent[0][3]
    assert "shop/produce" in sent[0]
    code, out, _ = run(path, "--why", id)
    assert code == 0
    assert "shop/produce sent it to orders" in out or "sent" in out.rpartition("\n\n")[2]
    assert "several subjects begin with" in run(path, "--why", id[:8])[2]
    code, _, err = run(path, "--why", "nobody")
    assert (code, err.partition(";")[0]) == (1, "messaging-lab: no subject begins with 'nobody'")


def test_the_page_is_written(write, run, tmp_path):
    page = tmp_path / "out.html"
    code, out, _ = run(write(SHOP), "--page", page)
    assert code == 0
    assert f"The page: {page}" in out
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_faults_bring_chance_and_seeds_look_for_the_smallest_that_fails(write, run):
    path = write(SHOP)
    code, out, _ = run(path, "--seeds", 5)
    assert (code, out) == (0, "nothing went wrong with 5 seeds, from 0 on\n")
    code, out, _ = run(path, "--seeds", 50, "--faults", "outage,lost_answer")
    assert code == 1
    found = re.match(r"seed (\d+): shop\.py:\d+: AssertionError: an order was done twice\n", out)
    assert found, out
    seed = int(found[1])
    assert f"messaging-lab run {path} --seed {seed} --faults outage,lost_answer" in out
    code, out, err = run(path, "--seed", seed, "--faults", "outage,lost_answer")
    assert (code, "an order was done twice" in err) == (1, True)
    for smaller in range(seed):
        assert run(path, "--seed", smaller, "--faults", "outage,lost_answer")[0] == 0


def test_a_crash_ends_the_program_which_begins_anew(write, run):
    _, out, _ = run(write(SHOP), "--seed", 3, "--faults", "crash")
    note = re.search(r"^note +crashed at ([\d.]+) s, restarted 1 s later$", out, re.MULTILINE)
    assert note, out
    assert "done [0, 1, 2, 3, 4, 5, 6, 7]" in out
    assert re.search(r"^shop +CreateQueue 2$", out, re.MULTILINE)


STREAM = """
    import boto3, time
    kinesis, sqs = boto3.client("kinesis"), boto3.client("sqs")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="clicks")
    for n in range(10):
        kinesis.put_record(StreamName="clicks", Data=b"x", PartitionKey="k")
    time.sleep(1)
    (shard,) = kinesis.list_shards(StreamName="clicks")["Shards"]
    given = {"StreamName": "clicks", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    for limit in (4, 8):
        iterator = kinesis.get_shard_iterator(**given)["ShardIterator"]
        kinesis.get_records(ShardIterator=iterator, Limit=limit)
"""
QUEUE_TOO = """
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
"""


def test_records_of_streams_are_counted_by_themselves(write, run):
    """Nobody can tell from outside what a program did with a record that it read."""
    _, out, _ = run(write(STREAM))
    numbers = dict(re.findall(r"^(\w[\w ]+?)  +(\S+)$", out, re.MULTILINE))
    records = {"records put": "10", "records read": "8", "records read again": "4"}
    assert {name: numbers[name] for name in records} == records
    assert not {"sent", "done", "open at the end", "duplicates"} & set(numbers)
    _, out, _ = run(write(STREAM + QUEUE_TOO))
    numbers = dict(re.findall(r"^(\w[\w ]+?)  +(\S+)$", out, re.MULTILINE))
    expected = {**records, "sent": "1", "done": "1", "open at the end": "0"}
    assert {name: numbers[name] for name in expected} == expected


def test_what_is_left_is_told_of_all_regions(write, run):
    text = """
        import boto3
        for region in ("us-east-1", "eu-central-1"):
            sqs = boto3.client("sqs", region_name=region)
            url = sqs.create_queue(QueueName=f"in-{region}")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody="left")
    """
    _, out, _ = run(write(text))
    left = re.findall(r"^left +(.*)$", out, re.MULTILINE)
    assert left == [f"in-{region}: 1 available, 0 in flight, 0 delayed" for region in ("us-east-1", "eu-central-1")]


LEAVES = """
    import logging, os, sys, time
    import prices

    assert "MODE" not in os.environ and not os.getcwd().endswith("elsewhere")
    os.environ["MODE"] = "test"
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("elsewhere")
    logging.getLogger("shop").addHandler(logging.NullHandler())
    assert len(logging.getLogger("shop").handlers) == 1
    sys.stdout = sys.stderr
    time.sleep(10)
    assert prices.count() == 1
"""


@pytest.mark.parametrize("options", [(), ("--seeds", 3), ("--faults", "crash")])
def test_each_run_begins_afresh_and_leaves_nothing_behind(write, run, monkeypatch, tmp_path, options):
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ), os.getcwd(), sys.stdout
    code, out, err = run(write(LEAVES), *options)
    assert (code, err) == (0, "") and out
    assert (dict(os.environ), os.getcwd(), sys.stdout) == before


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import sys\nsys.exit(3)", "shop.py: exits with 3"),
        ("import os\nos._exit(3)", "shop.py:2: Exited: os._exit(3)"),
        ("import boto3\nx = 1 / 0", "shop.py:2: ZeroDivisionError: division by zero"),
        ("import boto3\nboto3.client('dynamodb')", "shop.py:2: service 'dynamodb' is not simulated."),
        (
            "import boto3\nboto3.client('s3').put_bucket_acl(Bucket='b')",
            "shop.py:2: s3.put_bucket_acl is not simulated.",
        ),
        ("while True: pass", "shop.py:1: never ends: 1 real seconds without waiting for anything"),
        (DEADLOCK, "shop.py: never ends: shop, shop/f, shop/g wait for each other"),
        (
            "import threading\nthreading.Thread(target=lambda: 1 / 0, name='t').start()",
            "shop.py: the thread shop/t ended with ZeroDivisionError",
        ),
        ("import subprocess\nsubprocess.run(['ls'])", "shop.py:2: "),
        ("def f(:", "shop.py:1: invalid syntax"),
        ("def assert_that(trace): return False", "shop.py: assert_that(trace) says False"),
    ],
)
def test_what_goes_wrong_is_one_clear_line(write, run, monkeypatch, text, line):
    monkeypatch.setattr(program, "PATIENCE", 1.0)
    code, _, err = run(write(text))
    assert code == 1
    lines = [one for one in err.splitlines() if one.startswith("messaging-lab:")]
    assert len(lines) == 1
    assert lines[0].startswith(f"messaging-lab: {line}")


def test_an_exit_without_an_error_is_none(write, run):
    assert run(write("import sys\nsys.exit()"))[0] == 0


def test_a_program_that_goes_on_is_stopped_when_its_time_is_up_and_that_is_said(write, run):
    code, out, err = run(write("import time\nwhile True:\n    time.sleep(1)"), "--until", 30)
    assert (code, err) == (0, "")
    assert re.search(r"^note +still running after 30 virtual seconds \(--until\): shop$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--faults", "earthquake"), "--faults has no 'earthquake'; there are crash, outage, throttle"),
        (("--until", "-1"), "--until=-1.0: must be virtual seconds, more than 0"),
        (("--why", "x"), "no subject begins with 'x'; such as none"),
    ],
)
def test_bad_options_get_one_line(write, run, options, line):
    code, _, err = run(write("pass"), *options)
    assert (code, err.count("\n")) == (1, 1)
    assert line in err


def test_a_file_that_is_not_there_and_an_option_of_programs_for_a_lab(run, tmp_path):
    assert run(tmp_path / "none.py")[2] == f"messaging-lab: there is no program {Path(tmp_path, 'none.py')}\n"
    assert "--page is for a program of your own" in run("01", "--page", "x.html")[2]
