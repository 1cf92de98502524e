"""Answers that are our solution with an edit: wrong ones fail with their own reason, unusual right ones pass."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from exercises.edited_answers import RIGHT, WRONG, edited

from lablib.exercises import exercise

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.mark.parametrize(("id", "edits", "patterns"), WRONG)
def test_a_wrong_edit_fails_with_its_own_reason(id, edits, patterns):
    verdict = exercise(id).check(edited(id, *edits))
    assert verdict.state == "failed"
    missing = [p for p in patterns if not re.search(p, verdict.text)]
    assert not missing, verdict.text


@pytest.mark.parametrize(("id", "edits", "unusual"), RIGHT)
def test_an_unusual_right_answer_passes(id, edits, unusual):
    verdict = exercise(id).check(edited(id, *edits))
    assert verdict, verdict


def test_a_pool_of_threads_may_do_the_work():
    def consumer(sqs, queue_url, process):
        def handle(message):
            process(message["Body"])
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

        with ThreadPoolExecutor(4) as pool:
            while True:
                answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
                list(pool.map(handle, answer.get("Messages", [])))

    verdict = exercise("01.consumer").check(consumer)
    assert verdict, verdict


def test_a_heart_may_beat_in_a_thread():
    def consumer(sqs, queue_url, begin):
        def beat(target, over):
            while not over.wait(20):
                sqs.change_message_visibility(**target, VisibilityTimeout=30)

        while True:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=1, WaitTimeSeconds=20)
            for message in answer.get("Messages", []):
                target = {"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]}
                over = threading.Event()
                heart = threading.Thread(target=beat, args=(target, over), daemon=True)
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

    verdict = exercise("02.heartbeat").check(consumer)
    assert verdict, verdict
