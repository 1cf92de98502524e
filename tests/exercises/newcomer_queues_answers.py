"""Answers to labs 01, 02 and 02b as somebody wrote them who had seen the labs only, and what the verdicts must say."""

import concurrent.futures
import contextlib
import functools
import json
import math
import queue
import statistics
import threading
import time
import types
from datetime import datetime, timedelta


def _ten(sqs, queue_url, **more):
    how = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, **more}
    return sqs.receive_message(QueueUrl=queue_url, **how).get("Messages", [])


def _one(sqs, queue_url, **more):
    return _ten(sqs, queue_url, MaxNumberOfMessages=1, **more)


def _delete(sqs, queue_url, message):
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def _delete_all(sqs, queue_url, messages):
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    if entries:
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


def _hide(sqs, queue_url, message, seconds):
    sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds)


# ---- lab 01 ----------------------------------------------------------------------------------------------------------


def _send(sqs, queue_url, orders):
    entries = [{"Id": str(n), "MessageBody": order} for n, order in enumerate(orders)]
    return [int(entry["Id"]) for entry in sqs.send_message_batch(QueueUrl=queue_url, Entries=entries).get("Failed", [])]


def producer_takes_an_id_for_a_place_in_the_list(sqs, queue_url, orders):
    failed = []
    for start in range(0, len(orders), 10):
        failed += [orders[n] for n in _send(sqs, queue_url, orders[start : start + 10])]
    while failed:
        failed = [failed[n] for n in _send(sqs, queue_url, failed[:10])] + failed[10:]


def producer_drops_repeats(sqs, queue_url, orders):
    left = list(dict.fromkeys(orders))
    while left:
        left = [left[n] for n in _send(sqs, queue_url, left[:10])] + left[10:]


def producer_sends_json(sqs, queue_url, orders):
    left = [json.dumps(order) for order in orders]
    while left:
        left = [left[n] for n in _send(sqs, queue_url, left[:10])] + left[10:]


def producer_takes_for_granted_that_some_succeed(sqs, queue_url, orders):
    left = dict(enumerate(orders))
    while left:
        entries = [{"Id": str(n), "MessageBody": order} for n, order in list(left.items())[:10]]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        for entry in answer["Successful"]:
            del left[int(entry["Id"])]


def producer_in_threads(sqs, queue_url, orders):
    def send(left):
        while left:
            left = [left[n] for n in _send(sqs, queue_url, left)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [orders[start : start + 10] for start in range(0, len(orders), 10)]))


def consumer_starts_a_thread_and_deletes(sqs, queue_url, process):
    while True:
        for message in _ten(sqs, queue_url):
            threading.Thread(target=process, args=(message["Body"],)).start()
            _delete(sqs, queue_url, message)


def consumer_purges_what_is_done(sqs, queue_url, process):
    while True:
        messages = _ten(sqs, queue_url)
        for message in messages:
            process(message["Body"])
        if messages:
            sqs.purge_queue(QueueUrl=queue_url)


def consumer_hides_for_half_a_day(sqs, queue_url, process):
    while True:
        for message in _ten(sqs, queue_url, VisibilityTimeout=43_200):
            process(message["Body"])
            _delete(sqs, queue_url, message)


def consumer_with_a_pool(sqs, queue_url, process):
    def work(message):
        process(message["Body"])
        _delete(sqs, queue_url, message)

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        while True:
            list(pool.map(work, _ten(sqs, queue_url)))


_for_all = threading.Lock()
_re_entrant = threading.RLock()
_each: dict[str, threading.Lock] = {}


def _locked(lock, name):
    """Look, and charge, behind a lock in the memory that here all consumers share."""

    def consumer(sqs, queue_url, ledger):
        while True:
            for message in _ten(sqs, queue_url):
                order = json.loads(message["Body"])
                with lock(order["order_id"]):
                    if not ledger.charged(order["order_id"]):
                        ledger.charge(order["order_id"], order["amount"])
                _delete(sqs, queue_url, message)

    consumer.__name__ = name
    return consumer


idempotent_behind_one_lock_for_all = _locked(lambda order: _for_all, "idempotent_behind_one_lock_for_all")
idempotent_behind_a_re_entrant_lock = _locked(lambda order: _re_entrant, "idempotent_behind_a_re_entrant_lock")
idempotent_behind_a_lock_for_each_order = _locked(
    lambda order: _each.setdefault(order, threading.Lock()), "idempotent_behind_a_lock_for_each_order"
)


_gate = threading.Semaphore()
_turns: queue.Queue[None] = queue.Queue()
_turns.put(None)
_begun: set[str] = set()
_memory = types.SimpleNamespace(begun=set())


def _guarded(guard):
    """Look, and charge, between `guard`, which says whether this consumer may, and gives what ends it."""

    def consumer(sqs, queue_url, ledger):
        while True:
            for message in _ten(sqs, queue_url):
                order = json.loads(message["Body"])
                with guard(order["order_id"]) as may:
                    if may and not ledger.charged(order["order_id"]):
                        ledger.charge(order["order_id"], order["amount"])
                _delete(sqs, queue_url, message)

    consumer.__name__ = f"idempotent_{guard.__name__}"
    return consumer


@_guarded
@contextlib.contextmanager
def behind_a_semaphore(order_id):
    with _gate:
        yield True


@_guarded
@contextlib.contextmanager
def behind_a_queue_of_turns(order_id):
    turn = _turns.get()
    yield True
    _turns.put(turn)


@_guarded
@contextlib.contextmanager
def noted_before_it_looks(order_id):
    new = order_id not in _begun
    _begun.add(order_id)
    yield new


@_guarded
@contextlib.contextmanager
def noted_in_an_object(order_id):
    new = order_id not in _memory.begun
    _memory.begun.add(order_id)
    yield new


class _Desk:
    begun: set[str] = set()

    @classmethod
    def is_new(cls, order_id):
        new = order_id not in cls.begun
        cls.begun.add(order_id)
        return new


@_guarded
@contextlib.contextmanager
def noted_in_a_class(order_id):
    yield _Desk.is_new(order_id)


class _Count:
    n = 0
    seen: dict[str, int] = {}

    def __init__(self, order_id):
        self.order_id = order_id

    def once_more(self):
        _Count.n += 1
        self.seen[self.order_id] = self.seen.get(self.order_id, 0) + 1


def idempotent_and_counts_in_a_class(sqs, queue_url, ledger):
    while True:
        for message in _ten(sqs, queue_url):
            order = json.loads(message["Body"])
            _Count(order["order_id"]).once_more()
            ledger.charge_once(order["order_id"], order["amount"])
            _delete(sqs, queue_url, message)


@functools.lru_cache
def _first(order_id):
    return [order_id]


@_guarded
@contextlib.contextmanager
def noted_in_a_cache(order_id):
    found = _first(order_id)
    yield bool(found)
    found.clear()


_counted = 0


def idempotent_and_counts(sqs, queue_url, ledger):
    """What it keeps is for nothing but a count, and its lock for its own threads."""
    global _counted
    while True:
        for message in _ten(sqs, queue_url):
            order = json.loads(message["Body"])
            with _gate:
                ledger.charge_once(order["order_id"], order["amount"])
                _counted += 1
                _begun.add(order["order_id"])
            _delete(sqs, queue_url, message)


def idempotent_with_a_lock_for_its_threads(sqs, queue_url, ledger):
    lock = threading.Lock()

    def charge(message):
        order = json.loads(message["Body"])
        with lock:
            if not ledger.charged(order["order_id"]):
                ledger.charge_once(order["order_id"], order["amount"])
        _delete(sqs, queue_url, message)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        while True:
            list(pool.map(charge, _ten(sqs, queue_url)))


def fleet_that_works_off_the_backlog_in_30_s(rate, work, factor, length):
    return math.ceil(rate * work + rate * (factor - 1) * length * work / 30)


def fleet_rounded(rate, work, factor, length):
    return round(max(rate * work, rate * factor * work * length / (length + 30 - work)))


def fleet_and_one_more(rate, work, factor, length):
    return int(max(rate * work, rate * factor * work * length / (length + 30 - work))) + 1


def challenge_drains_with_short_polls(sqs, queue_url, process):
    while True:
        time.sleep(40)
        while messages := _ten(sqs, queue_url, WaitTimeSeconds=0):
            for message in messages:
                process(message["Body"])
            _delete_all(sqs, queue_url, messages)


def challenge_deletes_first(sqs, queue_url, process):  # once passed
    while True:
        messages = _ten(sqs, queue_url)
        _delete_all(sqs, queue_url, messages)
        for message in messages:
            process(message["Body"])
        time.sleep(35)


def challenge_hides_failures(sqs, queue_url, process):  # once passed
    while True:
        messages = _ten(sqs, queue_url)
        for message in messages:
            try:
                process(message["Body"])
            except Exception:
                pass
        _delete_all(sqs, queue_url, messages)
        time.sleep(30)


def challenge_saves_up_its_deletes(sqs, queue_url, process):
    done = []
    while True:
        for message in _ten(sqs, queue_url, VisibilityTimeout=43_200):
            process(message["Body"])
            done.append(message)
        if len(done) >= 10:
            _delete_all(sqs, queue_url, done[:10])
            del done[:10]
        time.sleep(25)


def challenge_rests_when_there_is_nothing(sqs, queue_url, process):
    while True:
        messages = _ten(sqs, queue_url)
        for message in messages:
            process(message["Body"])
        _delete_all(sqs, queue_url, messages)
        if not messages:
            time.sleep(300)


def challenge_waits_for_ten(sqs, queue_url, process):
    held = []
    while True:
        held += _ten(sqs, queue_url)
        if len(held) >= 10:
            for message in held:
                process(message["Body"])
            for start in range(0, len(held), 10):
                _delete_all(sqs, queue_url, held[start : start + 10])
            held = []
        time.sleep(20)


def challenge_once_an_hour(sqs, queue_url, process):
    while True:
        time.sleep(3600)
        while messages := _ten(sqs, queue_url, WaitTimeSeconds=1):
            for message in messages:
                process(message["Body"])
            _delete_all(sqs, queue_url, messages)


def challenge_deletes_full_tens_only(sqs, queue_url, process):
    while True:
        done = []
        for message in _ten(sqs, queue_url):
            with contextlib.suppress(Exception):
                process(message["Body"])
                done.append(message)
        if len(done) == 10:
            _delete_all(sqs, queue_url, done)
        time.sleep(20)


def challenge_by_the_clock(sqs, queue_url, process):
    while True:
        next_time = datetime.now() + timedelta(seconds=40)
        messages = _ten(sqs, queue_url)
        for message in messages:
            process(message["Body"])
        _delete_all(sqs, queue_url, messages)
        time.sleep(max(0.0, (next_time - datetime.now()).total_seconds()))


# ---- lab 02 ----------------------------------------------------------------------------------------------------------


def heartbeat_changes_the_queue(sqs, queue_url, begin):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "180"})
    while True:
        for message in _one(sqs, queue_url):
            work = begin(message["Body"])
            while work.step():
                pass
            _delete(sqs, queue_url, message)


def heartbeat_of_one_beat(sqs, queue_url, begin):
    while True:
        for message in _one(sqs, queue_url):
            _hide(sqs, queue_url, message, 30)
            work = begin(message["Body"])
            while work.step():
                pass
            _delete(sqs, queue_url, message)


def heartbeat_takes_one_step(sqs, queue_url, begin):
    while True:
        for message in _one(sqs, queue_url):
            begin(message["Body"]).step()
            _delete(sqs, queue_url, message)


def heartbeat_in_a_thread(sqs, queue_url, begin):
    def beat(message, over):
        while not over.wait(15):
            _hide(sqs, queue_url, message, 30)

    while True:
        for message in _one(sqs, queue_url):
            over, work = threading.Event(), begin(message["Body"])
            heart = threading.Thread(target=beat, args=(message, over))
            heart.start()
            try:
                while work.step():
                    pass
                _delete(sqs, queue_url, message)
            except Exception:
                pass
            finally:
                over.set()
                heart.join()


def timeout_p98(durations):
    return math.ceil(sorted(durations)[980])


def timeout_twice_the_p98(durations):
    return math.ceil(2 * sorted(durations)[980])


def timeout_mean_and_two_deviations(durations):
    return math.ceil(statistics.mean(durations) + 2 * statistics.stdev(durations))


def timeout_bell_curve_of_the_logarithms(durations):
    logs = [math.log(seconds) for seconds in durations]
    return math.ceil(math.exp(statistics.mean(logs) + 2.33 * statistics.stdev(logs)))


def timeout_does_not_sort(durations):
    return math.ceil(durations[980])


def timeout_in_milliseconds(durations):
    return math.ceil(1000 * sorted(durations)[990])


def timeout_as_the_idea_says(durations):
    return next(t for t in range(1, 43_201) if sum(seconds > t for seconds in durations) <= 10)


def longpoll_deletes_ten_at_a_time_only(sqs, queue_url, process):
    done = []
    while True:
        for message in _ten(sqs, queue_url):
            process(message["Body"])
            done.append(message)
            if len(done) == 10:
                _delete_all(sqs, queue_url, done)
                done = []


def longpoll_of_three_seconds(sqs, queue_url, process):
    while True:
        messages = _ten(sqs, queue_url, WaitTimeSeconds=3)
        for message in messages:
            process(message["Body"])
        _delete_all(sqs, queue_url, messages)


def longpoll_that_deletes_one_by_one(sqs, queue_url, process):
    while True:
        for message in _ten(sqs, queue_url):
            process(message["Body"])
            _delete(sqs, queue_url, message)


def _failing(then, most=1):
    def consumer(sqs, queue_url, process):
        while True:
            for message in _ten(sqs, queue_url, MaxNumberOfMessages=most):
                try:
                    process(message["Body"])
                except Exception:
                    then(sqs, queue_url, message, process)
                else:
                    _delete(sqs, queue_url, message)

    consumer.__name__ = then.__name__
    return consumer


@_failing
def poison_comes_back_in_an_hour(sqs, queue_url, message, process):
    _hide(sqs, queue_url, message, 3600)


@_failing
def poison_tried_again_after_a_pause(sqs, queue_url, message, process):
    time.sleep(5)
    if _works(process, message["Body"]):
        _delete(sqs, queue_url, message)


def poison_in_a_batch_of_ten(sqs, queue_url, process):
    _failing(lambda *_: None, most=10)(sqs, queue_url, process)


def _until_stopped(rest, deletes):
    def consumer(sqs, queue_url, process, stopping):
        done = []
        while not stopping():
            messages = _ten(sqs, queue_url)
            left = list(messages)
            while left and not stopping():
                process(left[0]["Body"])
                done.append(left.pop(0))
                if deletes:
                    _delete(sqs, queue_url, done[-1])
            rest(sqs, queue_url, messages, left)
        if not deletes:
            for message in done:
                _delete(sqs, queue_url, message)

    return consumer


def _back(sqs, queue_url, messages, left):
    for message in left:
        _hide(sqs, queue_url, message, 0)


shutdown_deletes_in_the_end = _until_stopped(_back, deletes=False)  # once passed
shutdown_hands_back_in_30_s = _until_stopped(
    lambda sqs, url, messages, left: [_hide(sqs, url, message, 30) for message in left], deletes=True
)
shutdown_hands_back_what_is_deleted = _until_stopped(
    lambda sqs, url, messages, left: [_hide(sqs, url, message, 0) for message in messages if left], deletes=True
)


def longpoll_rests_after_a_receive(sqs, queue_url, process):
    while True:
        messages = _ten(sqs, queue_url)
        for message in messages:
            process(message["Body"])
        _delete_all(sqs, queue_url, messages)
        if messages:
            time.sleep(2)


# ---- lab 02b ---------------------------------------------------------------------------------------------------------


def _works(process, body):
    try:
        process(body)
    except Exception:
        return False
    return True


def _reporting(entry, body=lambda record: record["body"]):
    def handler(event, process):
        bad = [record for record in event["Records"] if not _works(process, body(record))]
        return {"batchItemFailures": [{"itemIdentifier": entry(record)} for record in bad]}

    return handler


batch_names_the_handle = _reporting(lambda record: record["receiptHandle"])


def batch_hides_a_mistake(event, process):  # once another order of the batch was blamed
    bad = []
    for record in event["Records"]:
        try:
            process(json.loads(record["body"])["order"])
        except Exception:
            bad.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": bad}


def batch_returns_text(event, process):
    bad = [record["messageId"] for record in event["Records"] if not _works(process, record["body"])]
    return json.dumps({"batchItemFailures": [{"itemIdentifier": id} for id in bad]})


def batch_stops_as_on_a_fifo_queue(event, process):
    records = event["Records"]
    good = len(list(_while(lambda record: _works(process, record["body"]), records)))
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records[good:]]}


def _while(good, records):
    for record in records:
        if not good(record):
            return
        yield record


def batch_all_or_a_report(event, process):
    bad = [record["messageId"] for record in event["Records"] if not _works(process, record["body"])]
    if len(bad) == len(event["Records"]):
        raise RuntimeError("all failed")
    return {"batchItemFailures": [{"itemIdentifier": id} for id in bad]} if bad else None


def _connected(size, receives=5, dead_letters=True, before=lambda functions, name, arn: None):
    def connect(sqs, functions, queue_url, dead_letter_arn, name):
        before(functions, name, dead_letter_arn)
        timeout = functions.get_function_configuration(FunctionName=name)["Timeout"]
        attributes = {"VisibilityTimeout": str(6 * timeout)}
        if dead_letters:
            policy = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": receives}
            attributes["RedrivePolicy"] = json.dumps(policy)
        sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
        found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        functions.create_event_source_mapping(
            EventSourceArn=found["Attributes"]["QueueArn"],
            FunctionName=name,
            BatchSize=size,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            ScalingConfig={"MaximumConcurrency": 2},
        )

    return connect


connect_four_at_a_time = _connected(4)
connect_three_at_a_time = _connected(3)
connect_for_a_thousand_receives = _connected(3, receives=1000)
connect_the_function_to_the_dead_letters = _connected(
    3,
    dead_letters=False,
    before=lambda functions, name, arn: functions.update_function_configuration(
        FunctionName=name, DeadLetterConfig={"TargetArn": arn}
    ),
)

_SHARED = ["heard that order-1 was not charged", "Asking and charging must be one step", "2 consumers"]

WRONG = [
    (
        "01.producer",
        producer_takes_for_granted_that_some_succeed,
        ["KeyError: 'Successful'", "When no entry succeeded", r"answer.get\('Successful', \[\]\)"],
    ),
    (
        "01.challenge",
        challenge_deletes_full_tens_only,
        [r"alone was received \d+ times: whenever its visibility timeout ended, it came again"],
    ),
    ("02.longpoll", longpoll_rests_after_a_receive, [r"From an answer to the next poll 2\.\d s went by"]),
    (
        "01.producer",
        producer_takes_an_id_for_a_place_in_the_list,
        ["order-11 is not in the queue", r"'order-\d+' was sent again", "one of that call's entries"],
    ),
    ("01.producer", producer_drops_repeats, ["was never sent. It is in the list twice, and in the queue once"]),
    ("01.producer", producer_sends_json, ["Send each order as it is: MessageBody=order"]),
    ("01.consumer", consumer_starts_a_thread_and_deletes, ["is lost", "before its work was done"]),
    ("01.consumer", consumer_purges_what_is_done, ["is lost: consumer-1 emptied queue 'orders'"]),
    ("01.consumer", consumer_hides_for_half_a_day, ["still in the queue", "received once and processed 0 times"]),
    ("01.idempotent", idempotent_behind_one_lock_for_all, _SHARED),  # once passed
    ("01.idempotent", idempotent_behind_a_re_entrant_lock, _SHARED),
    ("01.idempotent", idempotent_behind_a_lock_for_each_order, _SHARED),
    ("01.idempotent", behind_a_semaphore, [*_SHARED, "keeps something in `_gate`"]),  # once passed
    ("01.idempotent", behind_a_queue_of_turns, [*_SHARED, "keeps something in `_turns`"]),
    ("01.idempotent", noted_before_it_looks, [*_SHARED, "keeps something in `_begun`"]),
    ("01.idempotent", noted_in_an_object, _SHARED),
    ("01.idempotent", noted_in_a_cache, _SHARED),
    ("01.idempotent", noted_in_a_class, [*_SHARED, "keeps something in `_Desk.begun`"]),
    ("01.fleet", fleet_that_works_off_the_backlog_in_30_s, ["are too many: "]),
    ("01.fleet", fleet_rounded, ["2 consumers cannot keep up"]),
    ("01.fleet", fleet_and_one_more, ["3 consumers are too many: 2 keep up as well", "no spike"]),
    ("01.challenge", challenge_drains_with_short_polls, ["was received after .* A poll in between missed it"]),
    ("01.challenge", challenge_deletes_first, ["deleted order-1 at", "before its work was done", "after the work"]),
    ("01.challenge", challenge_hides_failures, ["order-1 is lost", "the first try of order-1 fails"]),
    ("01.challenge", challenge_saves_up_its_deletes, [r"deleted \d+ s after that. What is done has to be deleted"]),
    ("01.challenge", challenge_rests_when_there_is_nothing, ["Your function did not ask for messages in between"]),
    ("01.challenge", challenge_waits_for_ten, [r"had received order-1 \d times when it began", "Work at once on all"]),
    (
        "01.challenge",
        challenge_once_an_hour,
        [r"was not received in \d{3} s. Your function's last ReceiveMessage was at"],
    ),
    ("02.heartbeat", heartbeat_changes_the_queue, ["changed VisibilityTimeout of queue 'orders' from '30' to '180'"]),
    ("02.heartbeat", heartbeat_of_one_beat, ["was visible again at .* while consumer-1 was still working on it"]),
    ("02.heartbeat", heartbeat_takes_one_step, ["is lost", "before its work was done"]),
    ("02.timeout", timeout_p98, ["9 of 400", "18 are longer than 26 s", "leave a little room"]),
    ("02.timeout", timeout_twice_the_p98, [r"\d+ s is too long"]),
    ("02.timeout", timeout_mean_and_two_deviations, [r"\d\d are longer than \d+ s: choose a longer one"]),
    ("02.timeout", timeout_bell_curve_of_the_logarithms, ["choose a longer one", "20 times as long"]),
    ("02.timeout", timeout_does_not_sort, ["choose a longer one"]),
    ("02.timeout", timeout_in_milliseconds, ["s is too long", "17 s would do"]),
    ("02.longpoll", longpoll_deletes_ten_at_a_time_only, ["still in the queue", r"processed \d+ times"]),
    ("02.longpoll", longpoll_of_three_seconds, ["Let each poll wait longer"]),
    ("02.longpoll", longpoll_that_deletes_one_by_one, ["36 DeleteMessage", "DeleteMessageBatch deletes up to ten"]),
    ("02.poison", poison_comes_back_in_an_hour, ["always fails, and is not in the dead-letter queue after"]),
    ("02.poison", poison_tried_again_after_a_pause, ["was visible again at 10.02 s, while consumer-1 was still"]),
    ("02.poison", poison_in_a_batch_of_ten, ["behind others of the same batch"]),
    ("02.shutdown", shutdown_deletes_in_the_end, ["order-1 was done at 4.01 s, and at 300.01 s it was visible again"]),
    ("02.shutdown", shutdown_hands_back_in_30_s, ["nobody else sees it for 30 s. Hand it back"]),
    ("02.shutdown", shutdown_hands_back_what_is_deleted, ["What was deleted, or is visible again, is not yours"]),
    ("02b.batch", batch_names_the_handle, ["the function named 'AQEB.* the messageId of no record", "batchItemFail"]),
    ("02b.batch", batch_hides_a_mistake, ["had not called process for it. Nor for any other", "mistake of your own"]),
    ("02b.batch", batch_returns_text, ["the function returned '.*', which is no dict"]),
    ("02b.batch", batch_stops_as_on_a_fifo_queue, ["named it as failed, though it had not called process for it"]),
    ("02b.connect", connect_four_at_a_time, ["4 of them take 20 s, and the start of the function some more"]),
    ("02b.connect", connect_for_a_thousand_receives, ["needs a RedrivePolicy with a small maxReceiveCount"]),
    ("02b.connect", connect_the_function_to_the_dead_letters, ["The queue needs a RedrivePolicy"]),
]

RIGHT = [
    ("01.producer", producer_in_threads),
    ("01.consumer", consumer_with_a_pool),
    ("01.idempotent", idempotent_and_counts),
    ("01.idempotent", idempotent_and_counts_in_a_class),
    ("01.idempotent", idempotent_with_a_lock_for_its_threads),
    ("01.challenge", challenge_by_the_clock),
    ("02.heartbeat", heartbeat_in_a_thread),
    ("02.timeout", timeout_as_the_idea_says),
    ("02b.batch", batch_all_or_a_report),
    ("02b.connect", connect_three_at_a_time),
]
