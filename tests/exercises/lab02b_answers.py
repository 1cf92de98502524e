"""Wrong answers to lab 02b's exercises, as learners write them, each with what the verdict must say."""

import json
from concurrent.futures import ThreadPoolExecutor

# ---- 02b.batch -------------------------------------------------------------------------------------------------------


def batch_raises(event, process):
    for record in event["Records"]:
        process(record["body"])


def batch_raises_at_the_end(event, process):
    failed = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failed.append(record["messageId"])
    if failed:
        raise RuntimeError(f"{len(failed)} failed")


def batch_hides_failures(event, process):
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception as error:
            print(error)


def batch_names_bodies(event, process):
    failed = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failed.append({"itemIdentifier": record["body"]})
    return {"batchItemFailures": failed}


def batch_returns_ids(event, process):
    failed = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failed.append(record["messageId"])
    return {"batchItemFailures": failed}


def batch_stops_at_the_first(event, process):
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def batch_names_all(event, process):
    try:
        for record in event["Records"]:
            process(record["body"])
    except Exception:
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in event["Records"]]}


def batch_takes_the_first(event, process):
    record = event["Records"][0]
    process(record["body"])


def batch_in_capitals(event, process):
    for record in event["Records"]:
        process(record["Body"])


def batch_passes_the_record(event, process):
    for record in event["Records"]:
        process(record)


# ---- 02b.connect -----------------------------------------------------------------------------------------------------


def batch_once_a_text(event, process):
    """Two equal orders are one for it."""
    failed = []
    for record in {record["body"]: record for record in event["Records"]}.values():
        try:
            process(record["body"])
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def batch_by_text(event, process):  # once passed
    """It finds the messageId by the text."""
    ids = {record["body"]: record["messageId"] for record in event["Records"]}
    failed = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failed.append({"itemIdentifier": ids[record["body"]]})
    return {"batchItemFailures": failed}


def batch_as_a_web_answer(event, process):
    failed = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"statusCode": 200, "body": json.dumps({"batchItemFailures": failed})}


def batch_remembers(event, process, done=set()):  # noqa: B006
    """What was done once is not done again, it thinks."""
    failed = []
    for record in event["Records"]:
        try:
            if record["body"] not in done:
                process(record["body"])
                done.add(record["body"])
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def batch_in_threads(event, process):
    """Right: all at the same time."""

    def failed(record):
        try:
            process(record["body"])
        except Exception:
            return record["messageId"]

    with ThreadPoolExecutor(10) as pool:
        return {"batchItemFailures": [{"itemIdentifier": id} for id in pool.map(failed, event["Records"]) if id]}


def batch_says_nothing_when_all_is_done(event, process):
    """Right: no answer means that all went well."""
    failed = []
    for record in event["Records"]:
        try:
            process(record["body"])
        except Exception:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed} if failed else None


def connect_and_allow_more_calls(sqs, functions, queue_url, dead_letter_arn, name):
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=100)
    _connecting()(sqs, functions, queue_url, dead_letter_arn, name)


def connect_and_give_more_time(sqs, functions, queue_url, dead_letter_arn, name):
    _connecting()(sqs, functions, queue_url, dead_letter_arn, name)
    functions.update_function_configuration(FunctionName=name, Timeout=1)


def connect_and_switch_off(sqs, functions, queue_url, dead_letter_arn, name):
    _connecting(Enabled=False)(sqs, functions, queue_url, dead_letter_arn, name)


def connect_the_dead_letters(sqs, functions, queue_url, dead_letter_arn, name):
    sqs.set_queue_attributes(
        QueueUrl=queue_url.replace("orders", "orders-dlq"), Attributes={"VisibilityTimeout": "360"}
    )
    functions.create_event_source_mapping(EventSourceArn=dead_letter_arn, FunctionName=name, BatchSize=2)


def connect_with_a_window(sqs, functions, queue_url, dead_letter_arn, name):
    """Right: six times the timeout, plus the window."""
    timeout = functions.get_function_configuration(FunctionName=name)["Timeout"]
    more = {"MaximumBatchingWindowInSeconds": 300}
    _connecting(hidden=6 * timeout + 300, **more)(sqs, functions, queue_url, dead_letter_arn, name)


def _connecting(receives=5, times=6, hidden=None, mapping=True, **more):
    settings = {
        "BatchSize": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    } | more

    def connect(sqs, functions, queue_url, dead_letter_arn, name):
        timeout = functions.get_function_configuration(FunctionName=name)["Timeout"]
        attributes = {"VisibilityTimeout": str(hidden or times * timeout)}
        if receives:
            policy = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": receives}
            attributes["RedrivePolicy"] = json.dumps(policy)
        sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
        found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
        given = {key: value for key, value in settings.items() if value is not None}
        if mapping:
            functions.create_event_source_mapping(EventSourceArn=found["QueueArn"], FunctionName=name, **given)

    return connect


RIGHT = [
    ("02b.batch", batch_in_threads),
    ("02b.batch", batch_says_nothing_when_all_is_done),
    ("02b.connect", connect_with_a_window),
    ("02b.connect", _connecting(BatchSize=3, receives=10)),
]

WRONG = [  # the exercise, the answer, and patterns of which the verdict must show every one
    ("02b.batch", batch_raises, ["was done (twice|3 times)", "the call of the function failed", "cannot be done"]),
    (
        "02b.batch",
        batch_raises_at_the_end,
        ["order-1 was done", r"the call of the function failed .*1 failed", "Return it, and do not raise"],
    ),
    ("02b.batch", batch_hides_failures, ["order-1 is lost: process failed", "did not name it", "itemIdentifier"]),
    ("02b.batch", batch_names_bodies, ["was done (twice|3 times)", "the messageId of no record"]),
    ("02b.batch", batch_returns_ids, ["was done (twice|3 times)"]),
    ("02b.batch", batch_stops_at_the_first, ["is lost: process was never called with it", "every record"]),
    ("02b.batch", batch_names_all, ["was done (twice|3 times)", "the function named it among those that had failed"]),
    ("02b.batch", batch_takes_the_first, ["order-1 is lost: process was never called with it"]),
    ("02b.batch", batch_in_capitals, ["KeyError: 'Body'", r"record\['body'\]", r"line \d+"]),
    ("02b.batch", batch_passes_the_record, ["process was called with the whole record"]),
    ("02b.batch", batch_once_a_text, ["never called with it", "can have the same text", "two orders with the same"]),
    ("02b.batch", batch_by_text, ["is lost: process failed", "can have the same text", "2 orders"]),
    ("02b.batch", batch_as_a_web_answer, ["'statusCode': 200", "has no batchItemFailures at its top"]),
    ("02b.batch", batch_remembers, ["never called with it", "can have the same text", "keeps something in `done`"]),
    (
        "02b.connect",
        connect_and_allow_more_calls,
        ["changed the reserved concurrency .* from 2 to 100", "as it must be"],
    ),
    ("02b.connect", connect_and_give_more_time, ["changed the timeout of function 'work' from 20 to 1"]),
    ("02b.connect", connect_and_switch_off, ["The mapping is Disabled", "It must be Enabled"]),
    ("02b.connect", connect_the_dead_letters, ["The mapping reads .*:orders-dlq", "the queue of queue_url"]),
    ("02b.connect", _connecting(BatchSize=4), ["an order takes 5 s: 4 of them take 20 s", "some more"]),
    ("02b.connect", _connecting(mapping=False), ["Nothing calls the function", "create_event_source_mapping"]),
    ("02b.connect", _connecting(receives=0), ["order-1 always fails", "needs a RedrivePolicy"]),
    ("02b.connect", _connecting(receives=1), ["nothing wrong with it", "A single failure is no proof"]),
    (
        "02b.connect",
        _connecting(receives=2, ScalingConfig=None),
        ["nothing wrong with it", "a poller that is throttled", "MaximumConcurrency"],
    ),
    (
        "02b.connect",  # once passed: there were too few orders
        _connecting(receives=3, BatchSize=3, ScalingConfig=None),
        ["It was received 3 times. The function was called for it never", "MaximumConcurrency", "140 orders more"],
    ),
    ("02b.connect", _connecting(FunctionResponseTypes=None), ["Lambda deleted it", "the mapping does not listen"]),
    (
        "02b.connect",  # once passed wherever no order was bad
        _connecting(FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"order": [{"exists": True}]}})}]}),
        ["order-1 is lost: the mapping's filter did not let it pass", "5 orders"],
    ),
    ("02b.connect", _connecting(BatchSize=10), ["stopped a call of the function in the middle", "Task timed out"]),
    ("02b.connect", _connecting(times=1), ["too short", "six times"]),
    ("02b.connect", _connecting(hidden=43_200), ["too long", "six times"]),
    ("02b.connect", _connecting(hidden=5), ["Queue visibility timeout: 5 seconds is less than Function timeout"]),
    ("02b.connect", _connecting(BatchSize=100), ["[Bb]atch"]),
]
