"""Wrong answers to lab 02's exercises, as learners write them, each with what the verdict must say."""

import math
import statistics
import time

# ---- 02.heartbeat ----------------------------------------------------------------------------------------------------


def _beating(most=1, timeout=30):
    """A consumer that calls `treat(hide, delete, work)` for each message it has received."""

    def wrap(treat):
        def consumer(sqs, queue_url, begin):
            while True:
                answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=most, WaitTimeSeconds=20)
                for message in answer.get("Messages", []):
                    target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}

                    def hide(seconds=timeout, target=target):
                        sqs.change_message_visibility(**target, VisibilityTimeout=seconds)

                    treat(hide, lambda target=target: sqs.delete_message(**target), begin(message["Body"]))

        return consumer

    return wrap


@_beating()
def heartbeat_none(hide, delete, work):
    while work.step():
        pass
    delete()


@_beating(most=10)
def heartbeat_in_a_batch(hide, delete, work):
    while work.step():
        hide()
    delete()


@_beating(timeout=3600)
def heartbeat_of_an_hour(hide, delete, work):
    hide()
    try:
        while work.step():
            pass
        delete()
    except Exception:
        pass


@_beating()
def heartbeat_without_except(hide, delete, work):
    while work.step():
        hide()
    delete()


@_beating()
def heartbeat_goes_on_after_failure(hide, delete, work):
    going = True
    while going:
        try:
            going = work.step()
        except Exception:
            pass
        hide()
    delete()


@_beating()
def heartbeat_deletes_failed(hide, delete, work):
    try:
        while work.step():
            hide()
    except Exception:
        print("failed")
    delete()


@_beating(timeout=5)
def heartbeat_too_short(hide, delete, work):
    try:
        while work.step():
            hide()
        delete()
    except Exception:
        pass


@_beating()
def heartbeat_never_deletes(hide, delete, work):
    while work.step():
        hide()


# ---- 02.timeout ------------------------------------------------------------------------------------------------------


def timeout_default(durations):
    return 30


def timeout_mean(durations):
    return math.ceil(statistics.mean(durations))


def timeout_p95(durations):
    return math.ceil(sorted(durations)[950])


def timeout_slowest(durations):
    return math.ceil(max(durations))


def timeout_twelve_hours(durations):
    return 43_200


def timeout_a_day(durations):
    return 86_400


def timeout_of_halves(durations):
    return sorted(durations)[990]


# ---- 02.longpoll -----------------------------------------------------------------------------------------------------


def _polling(pause=0, **parameters):
    def consumer(sqs, queue_url, process):
        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, **parameters)
            for message in answer.get("Messages", []):
                process(message["Body"])
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            if pause:
                time.sleep(pause)

    return consumer


longpoll_short = _polling(MaxNumberOfMessages=10)
longpoll_short_each_second = _polling(1, MaxNumberOfMessages=10)
longpoll_short_each_quarter_minute = _polling(15, MaxNumberOfMessages=10)
longpoll_five_seconds = _polling(MaxNumberOfMessages=10, WaitTimeSeconds=5)
longpoll_and_sleep = _polling(20, MaxNumberOfMessages=10, WaitTimeSeconds=20)
longpoll_one_at_a_time = _polling(WaitTimeSeconds=20)


# ---- 02.poison -------------------------------------------------------------------------------------------------------


def _surviving(most=1, back=None, delete_failed=False, catch=True):
    def consumer(sqs, queue_url, process):
        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=most, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                try:
                    process(message["Body"])
                except Exception:
                    if not catch:
                        raise
                    if back is not None:
                        sqs.change_message_visibility(**target, VisibilityTimeout=back)
                    if not delete_failed:
                        continue
                sqs.delete_message(**target)

    return consumer


poison_uncaught = _surviving(catch=False)
poison_deleted = _surviving(delete_failed=True)
poison_handed_back_at_once = _surviving(back=0)
poison_in_batches = _surviving(most=10)
poison_hidden_for_an_hour = _surviving(back=3600)


def poison_tried_for_ever(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            while True:
                try:
                    process(message["Body"])
                    sqs.delete_message(**target)
                    break
                except Exception:
                    sqs.change_message_visibility(**target, VisibilityTimeout=10)


# ---- 02.shutdown -----------------------------------------------------------------------------------------------------


def _stopping(rest):
    """A consumer that asks before each message, and calls `rest(sqs, target)` for those it will not begin."""

    def consumer(sqs, queue_url, process, stopping):
        while not stopping():
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                if stopping():
                    rest(sqs, target)
                else:
                    process(message["Body"])
                    sqs.delete_message(**target)

    return consumer


shutdown_keeps_the_rest = _stopping(lambda sqs, target: None)
shutdown_deletes_the_rest = _stopping(lambda sqs, target: sqs.delete_message(**target))
shutdown_hides_the_rest_a_little = _stopping(
    lambda sqs, target: sqs.change_message_visibility(**target, VisibilityTimeout=30)
)


def shutdown_finishes_the_batch(sqs, queue_url, process, stopping):
    while not stopping():
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def shutdown_asks_after_the_work(sqs, queue_url, process, stopping):
    while not stopping():
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            if stopping():
                sqs.change_message_visibility(
                    QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
                return
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def shutdown_never(sqs, queue_url, process, stopping):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            if stopping():
                sqs.change_message_visibility(**target, VisibilityTimeout=0)
            else:
                process(message["Body"])
                sqs.delete_message(**target)
        if answer.get("Messages") and stopping():
            return


WRONG = [  # the exercise, the answer, and patterns of which the verdict must show every one
    ("02.heartbeat", heartbeat_none, ["order-1 was visible again at 78", "while consumer-1 was still working on it"]),
    (
        "02.heartbeat",
        heartbeat_in_a_batch,
        ["order-1 was visible again", "before consumer-1 began", "same batch, of 2"],
    ),
    ("02.heartbeat", heartbeat_of_an_hour, ["consumer-1 crashed", "stayed hidden at least until", "1 order, 1 step"]),
    ("02.heartbeat", heartbeat_without_except, ["raised WorkFailed", r"line \d+: while work.step\(\):"]),
    ("02.heartbeat", heartbeat_goes_on_after_failure, [r"step\(\) was called again after .* had failed"]),
    ("02.heartbeat", heartbeat_deletes_failed, ["order-1 is lost", "before its work was done", "the work .* fails"]),
    ("02.heartbeat", heartbeat_too_short, ["visible again at 29", "Hide it again in time, and for long enough"]),
    ("02.heartbeat", heartbeat_never_deletes, ["still in the queue", r"received \d times and processed \d times"]),
    ("02.timeout", timeout_default, ["30 s is too long: when a consumer crashed", "nobody saw", "about 2 s"]),
    ("02.timeout", timeout_mean, [r"With 11 s, \d\d of 400 jobs were begun again", "8 are allowed"]),
    ("02.timeout", timeout_p95, [r"\d\d of 400 jobs were begun again while somebody was working", "did nothing"]),
    ("02.timeout", timeout_slowest, [r"\d+ s is too long", "1 in 20 over 20 s"]),
    ("02.timeout", timeout_twelve_hours, ["43200 s is too long", "17 s would do"]),
    ("02.timeout", timeout_a_day, ["SQS allows 0 to 43,200 s"]),
    ("02.timeout", timeout_of_halves, ["a whole number of seconds"]),
    ("02.longpoll", longpoll_short, ["ReceiveMessage calls that brought nothing", "WaitTimeSeconds=20"]),
    ("02.longpoll", longpoll_short_each_second, [r"waited [3-9]\.\d s until", "3 s are allowed"]),
    ("02.longpoll", longpoll_short_each_quarter_minute, [r"waited \d\d\.\d s until"]),
    ("02.longpoll", longpoll_five_seconds, ["the budget is 62", "brought nothing. Let each poll wait longer"]),
    ("02.longpoll", longpoll_and_sleep, [r"waited \d\d\.\d s until"]),
    (
        "02.longpoll",
        longpoll_one_at_a_time,
        ["the budget is 62", "36 receives brought one order each. Ask for up to ten"],
    ),
    ("02.poison", poison_uncaught, ["raised WorkFailed", r"process\(message\[\"Body\"\]\)"]),
    ("02.poison", poison_deleted, ["order-1 always fails, and consumer-1 deleted it", "it is lost"]),
    (
        "02.poison",
        poison_handed_back_at_once,
        ["nothing wrong with it", "3 times in 6 s", "Give a failed message time"],
    ),
    ("02.poison", poison_in_batches, ["order-4 was visible again at 10", "behind others of the same batch, of 4"]),
    ("02.poison", poison_hidden_for_an_hour, ["not in the dead-letter queue", "received once and tried once"]),
    ("02.poison", poison_tried_for_ever, ["not in the dead-letter queue", r"received once and tried \d+ times"]),
    ("02.shutdown", shutdown_keeps_the_rest, ["it still holds order-3", "for 288 s", "visibility timeout to 0"]),
    ("02.shutdown", shutdown_deletes_the_rest, ["consumer-1 deleted order-3", "nobody had worked on it"]),
    ("02.shutdown", shutdown_hides_the_rest_a_little, ["it still holds order-3", "for 30 s"]),
    ("02.shutdown", shutdown_finishes_the_batch, ["came at 9 s, but your function began to work on order-"]),
    ("02.shutdown", shutdown_asks_after_the_work, ["was done at .* consumer-1 handed it back. Delete what is done"]),
    ("02.shutdown", shutdown_never, ["still ran 25 s later", "before each poll too", "0 orders"]),
]
