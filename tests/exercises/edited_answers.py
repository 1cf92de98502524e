"""Answers that differ from our solution in a line or two: wrong ones, each with what the verdict must say, and right
ones. An edit is (old, new); the old text must stand in the solution.
"""

import subprocess
import sys
from functools import cache

from exercises.mutants import scope_of

from lablib.exercises import exercise
from lablib.exercises.solutions import source_of


@cache
def unwrapped(id):
    """Our solution in lines as long as those of this file: an edit does not depend on where the lab breaks a line."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120"]
    command += ["--config=format.skip-magic-trailing-comma=true", "-"]
    return subprocess.run(command, input=source_of(id), capture_output=True, text=True, check=True).stdout


def edited(id, *edits):
    """Our solution with these edits, as a function of that source."""
    source = unwrapped(id)
    for old, new in edits:
        assert source.count(old) >= 1, (id, old)
        source = source.replace(old, new)
    scope = scope_of(id)
    exec(compile(source, f"<{id}>", "exec"), scope)
    return scope[exercise(id).name]


_DELETE = 'sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])'
_PROCESS = 'process(message["Body"])\n'
_FINALLY = (
    f"            {_PROCESS}            {_DELETE}\n",
    f"            try:\n                {_PROCESS}            finally:\n                {_DELETE}\n",
)
_DELETE_FIRST = (f"            {_PROCESS}            {_DELETE}\n", f"            {_DELETE}\n            {_PROCESS}")
_TWICE = (f"            {_PROCESS}", f"            {_PROCESS}            {_PROCESS}")
_TEN = "MaxNumberOfMessages=10"
_BEAT = "sqs.change_message_visibility(**target, VisibilityTimeout=30)\n"
_BAD_BEAT = _BEAT.replace("**target", "QueueUrl=queue_url, ReceiptHandle='x'")
_BEGIN = 'work = begin(message["Body"])\n'
_DONE = "sqs.delete_message(**target)"
_DEDUPLICATION = 'MessageDeduplicationId=order["id"]'
_IN_ONE_CALL = """\
        for order in orders
    ]
    if entries:
        sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)"""
_OPEN = 'ReceiptHandle=message["ReceiptHandle"])'


def _with_settings(**attributes):
    loop = "    while True:\n"
    return loop, f"    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={attributes})\n{loop}"


# The exercise, the edits, and patterns of which the verdict must show every one.
WRONG = [
    (
        "01.producer",
        [('"Id": str(i)', '"Id": order'), ('batch[int(failed["Id"])]', 'failed["Id"]')],
        ["InvalidBatchEntryId|BatchEntryIdsNotDistinct|can only contain", "texts with spaces"],
    ),
    (
        "01.producer",  # gives up after so many tries
        [
            (
                "    while left:\n",
                "    for _ in range(len(orders) // 10 + 5):\n        if not left:\n            return\n",
            )
        ],
        ["not in the queue after", "as often as it takes"],
    ),
    (
        "01.producer",  # a text that comes twice is sent once
        [("left = list(orders)", "left = list(dict.fromkeys(orders))")],
        ["It is in the list twice, and in the queue once", "texts with spaces"],
    ),
    (
        "01.producer",  # slices overlap
        [("left[:10], left[10:]", "left[:10], left[9:] if len(left) > 10 else []")],
        ["was sent twice, though SQS had answered", "Do two of your batches have orders in common"],
    ),
    ("01.consumer", [_FINALLY], ["order-1 is lost", "before its work was done", "the first try of order-1 fails"]),
    (
        "01.consumer",
        [("WaitTimeSeconds=20", "WaitTimeSeconds=5")],
        [r"made \d+ calls in 5 minutes", "15 would do", "Let each poll wait"],
    ),
    (
        "01.consumer",
        [("WaitTimeSeconds=20", "WaitTimeSeconds=15")],
        ["made (19|20) calls in 5 minutes", "15 would do"],
    ),
    ("01.consumer", [_TWICE], ["consumer-1 did order-1 at", "began it again", "received it only once"]),
    (
        "01.consumer",  # a receive that failed for good leaves the old answer
        [
            ("    while True:\n", "    answer = {}\n    while True:\n        try:\n    "),
            ("        for message", "        except Exception:\n            pass\n        for message"),
        ],
        ["began it again|calls", "SQS refuses the receives for a while"],
    ),
    (
        "01.consumer",
        [("WaitTimeSeconds=20)", "WaitTimeSeconds=20, VisibilityTimeout=0)"), (_PROCESS, "pass\n"), (_DELETE, "pass")],
        [r"alone was received \d+ times: it was visible again at once"],
    ),
    (
        "01.consumer",
        [_with_settings(VisibilityTimeout="600")],
        ["changed VisibilityTimeout of queue 'orders' from '30' to '600'"],
    ),
    ("01.consumer", [('answer.get("Messages", [])', 'answer["Messages"]')], [r"answer\.get\('Messages', \[\]\)"]),
    (
        "01.challenge",  # never deletes: the queue forgets
        [
            _with_settings(MessageRetentionPeriod="60", VisibilityTimeout="3600"),
            (
                "                sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)\n",
                "                pass\n",
            ),
        ],
        ["Your function changed MessageRetentionPeriod of queue 'orders'"],
    ),
    (
        "02.heartbeat",  # no heartbeat: hidden once
        [
            (_BEGIN, f"{_BEGIN}            {_BEAT.replace('30', '60')}"),
            (_BEAT, "pass\n"),
        ],
        ["order-1 was visible again|order-1 stayed hidden until 60 s"],
    ),
    *(
        (
            "02.heartbeat",
            [
                ("WaitTimeSeconds=20)", f"WaitTimeSeconds=20, VisibilityTimeout={seconds})"),
                (_BEAT, "pass\n"),
            ],
            ["was visible again at|stayed hidden"],
        )
        for seconds in (40, 60, 100, 180, 600)
    ),
    (
        "02.heartbeat",  # the heartbeat fails, and the code hides that
        [
            (
                _BEAT,
                f"try:\n                        {_BAD_BEAT}"
                "                    except Exception:\n                        pass\n",
            )
        ],
        ["Its call of ChangeMessageVisibility at", "ReceiptHandleIsInvalid", "the code hid that"],
    ),
    (
        "02.longpoll",
        [(_PROCESS, f"{_DELETE}\n            {_PROCESS}")],
        ["before its work was done. A crash between the two loses the order"],
    ),
    (
        "02.longpoll",
        [(_PROCESS, f"try:\n                {_PROCESS}            except Exception:\n                pass\n")],
        ["order-1 is lost|before its work was done", "the last order fails at first"],
    ),
    (
        "02.longpoll",  # the consumer of lab 01
        [
            (
                "            done.append({",
                f"            {_DELETE}\n            done.append({{",
            ),
            ("        if done:", "        if False:"),
        ],
        ["Ten minutes and 36 orders took 70 calls; the budget is 62", "36 DeleteMessage"],
    ),
    ("02.longpoll", [(_PROCESS, 'proces(message["Body"])\n')], ["NameError"]),
    (
        "02.longpoll",
        [
            (
                f"            {_PROCESS}",
                "            try:\n                proces(message['Body'])\n"
                "            except Exception:\n                continue\n",
            )
        ],
        ["was received at .*no work on it was begun. Does an `except` hide a mistake"],
    ),
    (
        "02.poison",
        [("MaxNumberOfMessages=1,", "MaxNumberOfMessages=5,")],
        ["was visible again at|nothing wrong with it"],
    ),
    (
        "02.poison",  # sent again, so that the receives are counted from nothing
        [
            (
                "                continue  # it comes back in 10 seconds, and its receives are counted\n",
                '                sqs.send_message(QueueUrl=queue_url, MessageBody=message["Body"], DelaySeconds=10)\n',
            )
        ],
        ["order-1 always fails, and consumer-1 sent it again as a new message", "from nothing"],
    ),
    (
        "02.shutdown",
        [(f"{_PROCESS}                {_DONE}\n", f"{_DONE}\n                {_PROCESS}")],
        ["before its work was done"],
    ),
    ("02.shutdown", [(_TEN, "MaxNumberOfMessages=1")], [r"orders took \d+ receives; 1 would do", "Ask for up to ten"]),
    (
        "03.groups",
        [("return message[key]", "return message[key][-1]")],
        ["are in the same group|is in the same group", "12"],
    ),
    ("03.groups", [("return message[key]", "return next(iter(message.values()))")], ["group"]),
    (
        "03.producer",  # all in one call
        [
            ("    for order in orders:\n        sqs.send_message(\n", "    entries = [\n        dict(\n"),
            ("            QueueUrl=queue_url,\n", "            Id=order['id'],\n"),
            (f"            {_DEDUPLICATION},\n        )", f"            {_DEDUPLICATION},\n        )\n{_IN_ONE_CALL}"),
        ],
        ["TooManyEntriesInBatchRequest|listed? them under Failed|lists them under Failed"],
    ),
    (
        "03.producer",  # the position in the list
        [
            ("for order in orders:", "for n, order in enumerate(orders):"),
            (_DEDUPLICATION, "MessageDeduplicationId=str(n)"),
        ],
        ["because it had the deduplication id of an earlier message", "called with the next orders"],
    ),
    (
        "03.throughput",
        [
            (
                '[batch[int(failed["Id"])] for failed in answer.get("Failed", [])] + left',
                "left",
            )
        ],
        ["of 6,000 positions are in the queue", "under Failed"],
    ),
    (
        "03.throughput",
        [('"MessageDeduplicationId": p["text"]', '"MessageDeduplicationId": p["truck"]')],
        [r"SQS dropped [\d,]+ sends as repetitions", "Each position needs its own"],
    ),
    (
        "04.flaky",  # the envelope
        [(", Attributes=raw)", ")")],
        ["post was called with the envelope of SNS", "RawMessageDelivery"],
    ),
    (
        "04.filters",
        [('{"items": {"tags": ["fragile"]}}', '{"items": {"tags": [{"prefix": "fragile"}]}}')],
        ["'fragile' wants .* But it got", "fragile-free"],
    ),
    ("04.filters", [('["KR", "JP"]', '[{"prefix": "K"}, {"prefix": "J"}]')], ["'asia' wants .* But it got", "KE|JM"]),
    (
        "04b.ordered",  # the position in the list
        [
            ("for event in events:", "for n, event in enumerate(events):"),
            ('MessageDeduplicationId=event["id"]', "MessageDeduplicationId=str(n)"),
        ],
        ["SNS took it for a repetition", "called with the next events"],
    ),
]

RIGHT = [  # the exercise, the edits, and in words what is unusual
    ("01.producer", [("left = list(orders)", "left = orders")], "it empties the list that it was given"),
    ("01.producer", [('"Id": str(i)', '"Id": f"n{i}"'), ('int(failed["Id"])', 'int(failed["Id"][1:])')], "other Ids"),
    ("01.fleet", [("return max(n, 1)", "import numpy\n\n    return numpy.int64(max(n, 1))")], "a number of numpy"),
    (
        "02.timeout",
        [("return math.ceil(", "import numpy\n\n    return numpy.int64(1) * math.ceil(")],
        "a number of numpy",
    ),
    ("02.heartbeat", [("VisibilityTimeout=30", "VisibilityTimeout=40")], "a little longer"),
    ("01.consumer", [(_TEN, "MaxNumberOfMessages=9")], "nine at a time"),
    (
        "01.challenge",
        [
            ("    while True:\n", "    import threading\n\n    while True:\n"),
            ("time.sleep(45)", "threading.Event().wait(45)"),
        ],
        "an event as a pause",
    ),
    (
        "03.throughput",
        [
            (
                "    start, calls, left = time.monotonic()",
                "    from datetime import datetime\n\n    start, calls, left = datetime.now()",
            ),
            ("due = start + calls * senders / 300", "due = calls * senders / 300"),
            ("due - time.monotonic()", "due - (datetime.now() - start).total_seconds()"),
        ],
        "datetime.now as the clock",
    ),
    ("02.poison", [(_OPEN, _OPEN + "\n            continue")], "a continue that changes nothing"),
    (
        "06.buffer",
        [("min(seconds, 900)}", 'getattr(__import__("numpy"), "int64")(min(seconds, 900))}')],
        "a number of numpy",
    ),
    ("06.transform", [('return {"records": results}', 'return {"records": results[::-1]}')], "in another order"),
    (
        "06.transform",
        [('entry["result"] = "Dropped"', 'entry["result"] = "Dropped"\n                del entry["data"]')],
        "no data of what is dropped",
    ),
    (
        "06.windows",
        [("time.time() - 30.5", "time.monotonic() - time.monotonic() + time.time() - 32")],
        "a little later",
    ),
]
