"""Lab 03's exercises: what is special about them. What all exercises promise is in test_answers.py."""

import pytest
from exercises import lab03_answers as answers

from lablib.exercises import all_exercises, exercise

pytestmark = pytest.mark.usefixtures("own_home")
LAB = [e.id for e in all_exercises() if e.id.startswith("03.")]


@pytest.mark.parametrize("id", LAB)
def test_wrong_answers_of_an_exercise_get_different_sentences(id):
    alike = {answers.producer_id_of_the_customer}  # it drops an order as the body's own id does
    mine = [fn for wrong, fn, _ in answers.WRONG if wrong == id and fn not in alike]
    sentences = [exercise(id).check(fn).text.splitlines()[1] for fn in mine]
    assert len(set(sentences)) == len(sentences)


def test_a_batch_that_leaves_the_rest_of_the_group_alone_is_right_too():
    def consumer(sqs, queue_url, process):
        while True:
            ask = {"MaxNumberOfMessages": 5, "WaitTimeSeconds": 20, "AttributeNames": ["MessageGroupId"]}
            failed = set()
            for message in sqs.receive_message(QueueUrl=queue_url, **ask).get("Messages", []):
                group = message["Attributes"]["MessageGroupId"]
                if group in failed:
                    continue
                try:
                    process(message["Body"])
                except Exception:
                    failed.add(group)
                    continue
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])

    assert exercise("03.consumer").check(consumer)


def test_a_producer_may_send_in_batches_with_one_order_of_each_customer():
    def producer(sqs, queue_url, orders):
        left = list(orders)
        while left:
            batch = {}
            for order in left:
                batch.setdefault(order["customer"], order)
            entries = [
                {
                    "Id": order["id"],
                    "MessageBody": order["text"],
                    "MessageGroupId": order["customer"],
                    "MessageDeduplicationId": order["id"],
                }
                for order in batch.values()
            ]
            answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
            done = {entry["Id"] for entry in answer.get("Successful", [])}
            left = [order for order in left if order["id"] not in done]

    assert exercise("03.producer").check(producer)


@pytest.mark.parametrize("receives", [3, 5, 10])
def test_any_sensible_number_of_receives_frees_the_queue(receives):
    def free(sqs, queue_url, in_hand):
        answers.stuck_gives_back_only(sqs, queue_url, in_hand)
        answers._bury_after(sqs, queue_url, receives)

    assert exercise("03.stuck").check(free)


def test_the_receive_of_the_crashed_consumer_counts():
    def free(sqs, queue_url, in_hand):
        answers.stuck_gives_back_only(sqs, queue_url, in_hand)
        answers._bury_after(sqs, queue_url, 2)

    verdict = exercise("03.stuck").check(free)
    assert "order-2 is in the dead-letter queue" in verdict.text
    assert "received by consumer-9" in verdict.text


def test_a_crash_of_the_producer_is_told():
    verdict = exercise("03.producer").check(answers.producer_new_id_each_time)
    story = verdict.replay().story
    assert "producer crashed" in story
    assert "producer started again, with an empty memory" in story
    assert story.count("sent to orders.fifo by producer") == 2


def test_the_story_of_a_dropped_order_does_not_say_that_it_was_the_same_order():
    story = exercise("03.producer").check(answers.producer_id_of_the_customer).replay().story
    assert "producer sent with the deduplication id of the send at" in story
    assert "once more" not in story
