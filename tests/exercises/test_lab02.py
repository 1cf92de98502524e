"""Lab 02's exercises: what is special about them. What all exercises promise is in test_answers.py."""

import math

import pytest
from exercises import lab02_answers as answers

from lablib.exercises import all_exercises, exercise

pytestmark = pytest.mark.usefixtures("own_home")
LAB = [e.id for e in all_exercises() if e.id.startswith("02.")]


@pytest.mark.parametrize("id", LAB)
def test_wrong_answers_of_an_exercise_get_different_sentences(id):
    sentences = [exercise(id).check(fn).text.splitlines()[1] for wrong, fn, _ in answers.WRONG if wrong == id]
    assert len(set(sentences)) == len(sentences)


def test_a_heartbeat_in_a_batch_is_told_why_and_not_only_what_sqs_said():
    verdict = exercise("02.heartbeat").check(answers.heartbeat_in_a_batch)
    assert "raised" not in verdict.text
    assert "behind others of the same batch" in verdict.replay().problem


def test_hiding_the_whole_batch_is_a_heartbeat_too():
    def consumer(sqs, queue_url, begin):
        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            left = [(m["ReceiptHandle"], m["Body"]) for m in answer.get("Messages", [])]
            while left:
                try:
                    work = begin(left[0][1])
                    while work.step():
                        for handle, _ in left:
                            sqs.change_message_visibility(
                                QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=30
                            )
                    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=left[0][0])
                except Exception:
                    pass
                left.pop(0)
                for handle, _ in left:
                    sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=30)

    assert exercise("02.heartbeat").check(consumer)


@pytest.mark.parametrize("share", [0.9875, 0.99, 0.995])
def test_a_timeout_near_the_slow_end_is_right(share):
    assert exercise("02.timeout").check(lambda durations: math.ceil(sorted(durations)[int(1000 * share)]))


def test_a_queue_that_waits_by_itself_is_long_polling_too():
    def consumer(sqs, queue_url, process):
        sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"ReceiveMessageWaitTimeSeconds": "20"})
        while True:
            messages = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
            for message in messages:
                process(message["Body"])
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            if entries:
                sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)

    assert exercise("02.longpoll").check(consumer)


def test_handing_back_in_one_batch_is_right_too():
    def consumer(sqs, queue_url, process, stopping):
        while not stopping():
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            handles = []
            for message in answer.get("Messages", []):
                if stopping():
                    handles.append(message["ReceiptHandle"])
                    continue
                process(message["Body"])
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            if handles:
                entries = [{"Id": str(i), "ReceiptHandle": h, "VisibilityTimeout": 0} for i, h in enumerate(handles)]
                sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)

    assert exercise("02.shutdown").check(consumer)
