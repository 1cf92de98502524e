"""Wrong answers whose verdict once named a wrong cause, or none: each with the cause that it must name now."""

import threading
import time


def _messages(sqs, url, most=10, **more):
    """For ever: each message, with what a call about it wants."""
    while True:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, WaitTimeSeconds=20, **more)
        for message in answer.get("Messages", []):
            yield message, {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}


def _at_once(count, fn, *args):
    threads = [threading.Thread(target=fn, args=args) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _work(sqs, url, process):
    for message, target in _messages(sqs, url):
        process(message["Body"])
        sqs.delete_message(**target)


def four_threads_poll(sqs, queue_url, process):
    _at_once(4, _work, sqs, queue_url, process)


def three_threads_poll(sqs, queue_url, process):
    _at_once(3, _work, sqs, queue_url, process)


def works_on_the_first(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", [])[:1]:
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def works_on_the_first_with_a_short_timeout(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20, VisibilityTimeout=1
        )
        for message in answer.get("Messages", [])[:1]:
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def hands_nine_back(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for n, message in enumerate(answer.get("Messages", [])):
            target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
            if n:
                sqs.change_message_visibility(**target, VisibilityTimeout=0)
            else:
                process(message["Body"])
                sqs.delete_message(**target)


def asks_also_how_many(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"])


def looks_before_it_polls(sqs, queue_url, process):
    name = "ApproximateNumberOfMessages"
    while True:
        if sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])["Attributes"][name] == "0":
            continue
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def waits_too_long_and_hides_it(sqs, queue_url, process):
    while True:
        try:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=30)
        except Exception:
            time.sleep(20)
            continue
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def never_hides_and_never_deletes(sqs, queue_url, process):
    for message, _ in _messages(sqs, queue_url, VisibilityTimeout=0):
        process(message["Body"])


def sends_what_failed_one_by_one(sqs, queue_url, orders):
    for start in range(0, len(orders), 10):
        part = orders[start : start + 10]
        entries = [{"Id": str(i), "MessageBody": order} for i, order in enumerate(part)]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        for failed in answer.get("Failed", []):
            sqs.send_message(QueueUrl=queue_url, MessageBody=part[int(failed["Id"])])


def heart_beats_on(sqs, queue_url, begin):
    def beat(target):
        while True:
            time.sleep(15)
            sqs.change_message_visibility(**target, VisibilityTimeout=30)

    for message, target in _messages(sqs, queue_url, 1):
        threading.Thread(target=beat, args=(target,), daemon=True).start()
        work = begin(message["Body"])
        try:
            while work.step():
                pass
        except Exception:
            continue
        sqs.delete_message(**target)


def heart_races(sqs, queue_url, begin):
    def beat(target, over):
        while not over.wait(0.05):
            sqs.change_message_visibility(**target, VisibilityTimeout=30)

    for message, target in _messages(sqs, queue_url, 1):
        over = threading.Event()
        heart = threading.Thread(target=beat, args=(target, over))
        heart.start()
        work = begin(message["Body"])
        try:
            while work.step():
                pass
            sqs.delete_message(**target)
        except Exception:
            pass
        finally:
            over.set()
            heart.join()


def short_polls_with_pauses(sqs, queue_url, process):
    while True:
        messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        if not messages:
            time.sleep(2)


def sleeps_between_polls(sqs, queue_url, process):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in answer.get("Messages", []):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        time.sleep(15)


def buries_at_once(sqs, queue_url, process):
    for message, target in _messages(sqs, queue_url, 1):
        try:
            process(message["Body"])
        except Exception:
            sqs.send_message(QueueUrl=queue_url + "-dlq", MessageBody=message["Body"])
        sqs.delete_message(**target)


def hands_back_by_sending_again(sqs, queue_url, process, stopping):
    while not stopping():
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        for message in answer.get("Messages", []):
            if stopping():
                sqs.send_message(QueueUrl=queue_url, MessageBody=message["Body"])
            else:
                process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def ignores_what_failed(sqs, queue_url, orders):
    for start in range(0, len(orders), 10):
        entries = [
            {
                "Id": str(i),
                "MessageBody": order["text"],
                "MessageGroupId": order["customer"],
                "MessageDeduplicationId": order["id"],
            }
            for i, order in enumerate(orders[start : start + 10])
        ]
        sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)


WRONG = [  # the exercise, the answer, and patterns of which the verdict must show every one
    ("01.consumer", four_threads_poll, ["4 polls waited at the same time: one is enough", "15 would do"]),
    ("01.consumer", works_on_the_first, [r"order-1 was received \d+ times", "Work on all that a receive brings"]),
    ("01.consumer", hands_nine_back, [r"order-1 was received \d+ times", "Work on all that a receive brings"]),
    ("01.consumer", asks_also_how_many, [r"made \d+ calls in 5 minutes", "of them were GetQueueAttributes"]),
    ("01.consumer", looks_before_it_polls, [r"calls in \d+ virtual seconds, \d+ of them GetQueueAttributes"]),
    (
        "01.consumer",
        waits_too_long_and_hides_it,
        ["order-1, sent at 0 s, was not received", "InvalidParameterValue, and 27 more"],
    ),
    ("01.consumer", never_hides_and_never_deletes, ["still in the queue", "visibility timeout of 0 s"]),
    ("01.producer", sends_what_failed_one_by_one, ["2 of them were SendMessage: what had failed can go again in one"]),
    ("02.heartbeat", heart_beats_on, ["the work of consumer-1 failed", "Its heartbeat had not stopped"]),
    ("02.heartbeat", heart_races, [r"consumer-1 made [\d,]+ calls", r"\d+ of them ChangeMessageVisibility"]),
    ("02.longpoll", short_polls_with_pauses, ["your function asked, and got nothing: a short poll asks only some"]),
    ("02.longpoll", sleeps_between_polls, ["did not ask for messages meanwhile", "Wait in the poll"]),
    ("02.longpoll", works_on_the_first_with_a_short_timeout, [r"It was received \d+ times in this time"]),
    ("02.longpoll", asks_also_how_many, ["33 GetQueueAttributes", "Which of them are needed"]),
    ("02.longpoll", three_threads_poll, ["3 polls waited at the same time"]),
    (
        "02.poison",
        buries_at_once,
        ["sent order-1 into the dead-letter queue", "nothing wrong with it", "the bank is away"],
    ),
    ("02.shutdown", hands_back_by_sending_again, ["sent it again as a new message", "counts the receives of a new"]),
    ("03.producer", ignores_what_failed, ["A call can succeed while entries of it fail", "Failed"]),
]
