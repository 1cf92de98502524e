"""The exercise of lab 04b about a pipeline: photos that are uploaded go to two queues and a function."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from lablib.aws.arn import ACCOUNT, Arn
from lablib.aws.event import Event
from lablib.aws.service import Principal, Request
from lablib.exercises import learner
from lablib.exercises.base import Exercise
from lablib.exercises.case import cut, flag, knobs, number
from lablib.exercises.partners import Partner
from lablib.exercises.stage import Problem, Stage
from lablib.exercises.story import once
from lablib.exercises.wiring import (
    FOREIGN,
    Intruder,
    check_refused,
    copies,
    missing,
    nobody_else_sends,
    other_topics,
    people,
    queues_made,
    service,
    text_of,
    topic_itself,
    why_denied,
)
from lablib.kernel import Row

BUCKET, FUNCTION, QUEUES = "holiday-photos", "catalogue", ("thumbnails", "search")
_UPLOADS = (  # key, and how it comes into the bucket
    ("photos/cat.jpg", "put"),
    ("photos/my cat.jpg", "put"),
    ("photos/readme.txt", "put"),
    ("drafts/dog.jpg", "put"),
    ("photos/dog.jpg", "copy"),
    ("photos-old/cat.jpg", "put"),
    ("photos/a+b (1).jpg", "put"),
    ("photos/cat.jpg.bak", "put"),
    ("photos/제주/바다 1.jpg", "put"),
    ("photos/IMG_0042 Copy.jpg", "put"),
    ("photos/how-to-jpg", "put"),
)
_NO_KEY = "no such key"
_GAP = 5.0  # seconds between two uploads
_AWAY = 30.0  # seconds for which save fails, from its first call on: less than Lambda waits before it tries again
_RETRIES = 240.0  # seconds: Lambda tries a failed event again after one minute and after two more

_ONE_RULE = "Let one rule name the topic; the queues and the function subscribe to the topic."
_WRONG_FORM = re.compile(r"KeyError|TypeError: (\w+ indices|the JSON object)|AttributeError: 'str'")  # of an event
_EVENTS = (
    Event("Saved", "{actor} saves {subject}"),
    Event("SaveFailed", "{actor} cannot save {subject}: {detail}"),
)


def wanted(key: str) -> bool:
    """Is it a photo that the pipeline is for?"""
    return key.startswith("photos/") and key.endswith(".jpg")


class NoSuchKey(Exception):
    """There is no object with that key in the bucket."""


class SaveFailed(Exception):
    """The catalogue could not be reached."""


class Catalogue(Partner):
    """`save(key)`: enters a photo into the catalogue, which takes 0.3 s. With `failing` it fails for a while."""

    def __init__(self, stage: Stage, failing: int) -> None:
        super().__init__(stage)
        stage.trace.declare(_EVENTS)
        self._failing, self._back = failing, 0.0

    def __call__(self, key: str = "", *more: Any, **named: Any) -> None:
        if more or named:
            self.stage.fail("save(key) takes the key only, and your function gave it more. Write save(key).")
        self.perform(0.3, lambda: self._save(key))

    def _save(self, key: str) -> None:
        stage = self.stage
        running = stage.trace.where("InvocationStarted", actor=stage.caller)
        cause = running[-1].index if running else -1
        if not isinstance(key, str) or stage.cloud.service("s3").bucket(BUCKET).find(key) is None:
            self.note("SaveFailed", BUCKET, f"{key}", cause, _NO_KEY)
            raise NoSuchKey(f"bucket {BUCKET!r} has no object with the key {cut(key, 80)}")
        self._back = self._back or stage.cloud.now + _AWAY * self._failing
        if stage.cloud.now < self._back:
            self.note("SaveFailed", BUCKET, key, cause, "the catalogue is away")
            raise SaveFailed("the catalogue is away")
        self.note("Saved", BUCKET, key, cause)


def _shuffled(stage: Stage, count: int) -> list[tuple[str, str]]:
    """So many uploads, in the order of this seed; with seed 0 the simplest come first."""
    uploads = stage.cloud.chance.stream("uploads").shuffled(_UPLOADS) if stage.case.seed else list(_UPLOADS)
    return uploads[:count]


def _visitor(stage: Stage) -> Request:
    return Request("visitor", -1, stage.cloud.chance.stream("visitor"))


def _upload(stage: Stage, key: str, how: str) -> None:
    s3, call = stage.cloud.service("s3"), _visitor(stage)
    if how == "put":
        s3.put_object(call, bucket=BUCKET, key=key, body=b"a photo")
        return
    source = key.replace("photos/", "tmp/")
    s3.put_object(call, bucket=BUCKET, key=source, body=b"a photo")
    s3.copy_object(call, bucket=BUCKET, key=key, copy_source=f"{BUCKET}/{source}")


# ---- what was built --------------------------------------------------------------------------------------------------


def _the_topic(stage: Stage) -> str:
    """The ARN of the topic to which the bucket sends. Raises Problem."""
    rules = stage.cloud.service("s3").bucket(BUCKET).rules
    if not rules:
        raise Problem(f"Bucket {BUCKET!r} has no event notification: nobody hears of an upload.")
    for rule in rules:
        if rule.destination.service != "sns":
            kind = "queue" if rule.destination.service == "sqs" else "function"
            raise Problem(
                f"The bucket sends its events to {kind} {rule.target!r} itself, so the others cannot get them. Send "
                "them to a topic, and subscribe both queues and the function to it."
            )
    return str(rules[0].destination)


def _unable(stage: Stage) -> str:
    """What to do when S3 does not accept a destination."""
    denied = stage.trace.where("AccessDenied", actor=f"s3/{BUCKET}")
    if not denied:
        return ""
    place = denied[-1].resource
    return f"S3 tried at once, and has no right to send to {place!r}. Its policy decides. {why_denied(stage, place)}"


def _check_function(stage: Stage) -> None:
    """The function is there, and Lambda can call it. Raises Problem."""
    try:
        function = stage.cloud.service("lambda").function(FUNCTION)
    except KeyError:
        raise Problem(f"There is no function {FUNCTION!r}. Make it: cloud.deploy({FUNCTION!r}, handler).") from None
    if why := learner.why_not_callable(function.handler, "handler(event, context)"):
        raise Problem(f"Lambda cannot call function {FUNCTION!r}. {why}")


# ---- what came of it -------------------------------------------------------------------------------------------------


class Outcome:
    """What became of each upload, link by link: bucket, topic, queues, function."""

    def __init__(self, stage: Stage, queues: dict[str, str]) -> None:
        self._stage = stage
        self._trace = trace = stage.trace
        self._copies = copies(stage)
        self._events = {queue: list(_events_in(stage, queue, url)) for queue, url in queues.items()}
        self._published: dict[str, str] = {}  # by key, the message about its upload
        for row in trace.where("Published", actor=f"s3/{BUCKET}"):
            happened = next((r for r in trace.chain(row.index) if r.kind == "ObjectCreated"), None)
            if happened:
                self._published[happened.subject] = row.subject
        self._runs: dict[str, list[Row]] = {}  # by message, how the function's runs on it ended
        for row in trace.where(("InvocationEnded", "InvocationFailed"), FUNCTION):
            stage.labels[row.subject] = f"in {FUNCTION}"
            self._runs.setdefault(self._message(row), []).append(row)

    def _message(self, row: Row) -> str:
        """The message that led to a row; "" for none."""
        return next((r.subject for r in self._trace.chain(row.index) if r.kind == "Published"), "")

    def _problem(self, key: str, what: str) -> Problem:
        message = self._published.get(key, "")
        in_queues = (id for ids in self._copies.get(message, {}).values() for id in ids)
        runs = dict.fromkeys(row.subject for row in self._runs.get(message, []))
        return Problem(f"{key!r} {what}", [key, message, *in_queues, *runs] if message else [key])

    def _count(self, queue: str, key: str, event: str) -> int:
        return sum(k == key and name.startswith(event) for k, name in self._events[queue])

    def photo(self, key: str, how: str) -> Iterator[Problem]:
        """A photo came to each queue once, and was saved once."""
        message = self._published.get(key)
        if message is None:
            came = {"put": "uploaded", "copy": "copied into the bucket"}[how]
            rules = self._rules()
            cure = " A copy is another event than an upload; s3:ObjectCreated:* is all of them."
            if how != "copy" or "ObjectCreated:Put" not in rules:
                pattern = "*" in rules.partition(" with prefix ")[2]
                cure = " S3 takes a * as it stands: a prefix or a suffix is no pattern." * pattern
            yield self._problem(key, f"was {came}, and no event went to your topic. {rules}{cure}")
            return
        for queue in QUEUES:
            times = self._count(queue, key, "ObjectCreated")
            if not times:
                found = missing(self._stage, repr(key), message, queue)
                yield Problem(found.what, [key, *found.subjects])
            if times > 1:
                yield self._problem(key, f"came to queue {queue!r} {once(times)}.")
        saved = self._trace.where("Saved", subject=key)
        if len(saved) > 1:
            yield self._problem(key, f"was saved {once(len(saved))}; once is enough. {self._why_again(message)}")
        if not saved:
            yield self._unsaved(key, message)

    def _rules(self) -> str:
        rules = self._stage.cloud.service("s3").bucket(BUCKET).rules
        said = (f"{', '.join(r.events)} with prefix {r.prefix!r} and suffix {r.suffix!r}" for r in rules)
        return f"The bucket's rule is for {'; '.join(said)}."

    def _why_again(self, message: str) -> str:
        failed = [row for row in self._runs.get(message, []) if row.kind == "InvocationFailed"]
        if failed:
            return f"Your function failed after it had saved ({failed[0].detail}), so Lambda ran it again."
        return "Your function called save more than once for one event, or two events came."

    def _unsaved(self, key: str, message: str) -> Problem:
        runs = self._runs.get(message) or self._runs.get("", [])  # "": a queue stands between
        if not runs:
            found = missing(self._stage, repr(key), message, FUNCTION, "function")
            return Problem(found.what, [key, *found.subjects])
        failed = self._trace.where("SaveFailed", actor=f"lambda/{FUNCTION}")
        called = [row.subject for row in failed if row.detail == _NO_KEY and self._message(row) in (message, "")]
        wrong = next((_why_wrong(given, key) for given in called if given != key), "")
        if wrong:
            return self._problem(key, f"was not saved: your function called {wrong}")
        last = runs[-1]
        if last.kind == "InvocationFailed":
            times = "" if len(runs) == 1 else f", in all {len(runs)} tries"
            form = "S3's event is the text event['Records'][0]['Sns']['Message'], JSON: SNS has wrapped it."
            hint = f". {form}" if _WRONG_FORM.match(last.detail) else ""
            return self._problem(key, f"was not saved: your function failed{times}. {last.detail}{hint}")
        tries = sum(row.subject == key for row in failed)
        if tries:
            return self._problem(
                key,
                f"was not saved: save failed {once(tries)}, and your function caught the exception. Lambda took this "
                "for a success. Let it out: Lambda tries again after a minute.",
            )
        if self._trace.where("SaveFailed", subject=key):
            return self._problem(
                key,
                "was not saved: save failed in a thread of its own, and nobody saw it. Call save in the handler "
                "itself, or wait for the thread there and let its exception out.",
            )
        return self._problem(key, "was not saved: your function ran, and ended without save(key) for it.")

    def other(self, key: str) -> Iterator[Problem]:
        """What is no photo under photos/ came nowhere."""
        places = [f"queue {queue!r}" for queue in QUEUES if self._count(queue, key, "")]
        places += ["your function"] * bool(self._trace.where("Saved", subject=key))
        if places:
            yield self._problem(
                key, f"is no .jpg under photos/, and it came to {' and '.join(places)}. {self._rules()}"
            )

    def removal(self, key: str) -> Iterator[Problem]:
        """Nobody was told that this photo was deleted."""
        for queue in QUEUES:
            if self._count(queue, key, "ObjectRemoved"):
                yield self._problem(
                    key, f"was deleted, and queue {queue!r} got a message about it. It is for uploads. {self._rules()}"
                )

    def own_uploads(self) -> Iterator[Problem]:
        """The function put no photo into the bucket to try it out."""
        for row in self._trace.where("ObjectCreated", BUCKET):
            if self._stage.program(row.actor) in self._stage.learners and wanted(row.subject):
                yield self._problem(
                    row.subject,
                    f"was put into the bucket by your function at {row.time:.2f} s, and it went through the pipeline "
                    "like the photo of a visitor. Upload and send nothing yourself.",
                )

    def test_event(self) -> Iterator[Problem]:
        """The function did not stumble over what S3 sends when a notification is set."""
        kind = "PutBucketNotificationConfiguration"
        for row in self._trace.where("InvocationFailed", FUNCTION):
            if any(cause.kind == kind for cause in self._trace.chain(row.index)):
                yield Problem(
                    f"Your function failed on S3's test event, {row.detail}. S3 sends it when a notification is set, "
                    'and it has no "Records": {"Service": "Amazon S3", "Event": "s3:TestEvent", ...}. Pass it over.',
                    [row.subject],
                )


def _why_wrong(given: str, key: str) -> str:
    """What is wrong with what `save` was given for the object `key`; goes on after "your function called"."""
    if unquote_plus(given) == key:
        why = "S3 writes keys into events URL-encoded, a space as '+'. Decode them: urllib.parse.unquote_plus(key)."
    elif unquote_plus(key) == given:
        why = "It was decoded twice. S3 encodes a key once: decode it once."
    else:
        why = "Give it the whole key, as S3 wrote it into the event, decoded with urllib.parse.unquote_plus."
    return f"save({cut(given, 80)}), and the bucket has no such key. {why}"


def _events_in(stage: Stage, queue: str, url: str) -> Iterator[tuple[str, str]]:
    """The key and the name of each event of S3 in a queue. Raises Problem when something else is there."""
    for message in stage.cloud.service("sqs").queue(url).messages.values():
        text = text_of(message.body)
        try:
            for record in json.loads(text).get("Records", []):
                yield unquote_plus(record["s3"]["object"]["key"]), record["eventName"]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Problem(
                f"In queue {queue!r} is a message that is no event of S3: {cut(text)}. Publish and send nothing "
                "yourself.",
                [message.id],
            ) from None


def nobody_else_comes_in(stage: Stage) -> Iterator[Problem]:
    """S3 may publish for this bucket only; the queues and the function are for this topic only."""
    topic, *_ = stage.given
    only_s3 = 'Let in S3, and nobody else: "Principal": {"Service": "s3.amazonaws.com"}.'
    name = f'Name your bucket: "Condition": {{"ArnEquals": {{"aws:SourceArn": "arn:aws:s3:::{BUCKET}"}}, ...}}.'
    account = (
        "A bucket's ARN has no account number, and when you delete your bucket, others can make one of that name. Name "
        'your account too: "StringEquals": {"aws:SourceAccount": "123456789012"}.'
    )
    own = Arn("s3", "", "", BUCKET)
    intruders = [
        *people(only_s3),
        *(
            Intruder(f"Another bucket of your account, {other},", _bucket(own._replace(resource=other)), name)
            for other in ("invoices", f"{BUCKET}-2")
        ),
        Intruder("A bucket of the same name in another account", _bucket(own, FOREIGN), account),
    ]
    yield from check_refused(
        stage, "publish to your topic", topic, "publish", {"topic_arn": topic, "message": "spam"}, intruders
    )
    yield from nobody_else_sends(stage)
    function = stage.cloud.service("lambda").function(FUNCTION).arn
    invoke = {"function_name": function, "invocation_type": "DryRun"}
    only_sns = "Let in SNS, and nobody else: add_permission(..., Principal='sns.amazonaws.com')."
    name = "Name your topic: add_permission(..., SourceArn=the ARN of your topic)."
    intruders = [*people(only_sns), *other_topics(topic, name)]
    yield from check_refused(stage, f"invoke function {FUNCTION!r}", function, "invoke", invoke, intruders)
    least = "All that a topic needs is add_permission(..., Action='lambda:InvokeFunction')."
    itself = Intruder("Your topic has to invoke, and nothing else. But it", topic_itself(topic), least)
    look, ask = f"read the settings of function {FUNCTION!r}", {"function_name": function}
    yield from check_refused(stage, look, function, "get_function_configuration", ask, [itself])


def _bucket(arn: Arn, account: str = ACCOUNT) -> Principal:
    return service("s3.amazonaws.com", arn, account)


def every_upload(stage: Stage) -> Iterator[Problem]:
    """Each photo went to both queues and was saved, once; nothing else went anywhere. `stage.given`: the topic's ARN,
    the queues, the uploads, and the key that was deleted ("" for none).
    """
    _, queues, uploads, removed = stage.given
    outcome = Outcome(stage, queues)
    for key, how in uploads:
        yield from outcome.photo(key, how) if wanted(key) else outcome.other(key)
    if removed:
        yield from outcome.removal(removed)
    yield from outcome.own_uploads()
    yield from outcome.test_event()


class Pipeline(Exercise):
    """Every photo once to two queues and a function, and nothing else."""

    id = "04b.pipeline"
    signature = "pipeline(cloud, bucket, save)"
    knobs = knobs(
        uploads=number("upload", 1, len(_UPLOADS)),
        failing=flag("save fails for 30 seconds"),
        deleted=flag("the first photo is deleted later"),
        seeds=10,
    )
    harmless = {"uploads": 1}
    also = ({"uploads": len(_UPLOADS), "deleted": 1},)
    examples = 40
    faults = (every_upload, nobody_else_comes_in)
    advice = {"Unable to validate": _unable, "overlap": _ONE_RULE}

    def play(self, stage: Stage, case: Any) -> None:
        cloud = stage.cloud
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        stage.call("pipeline", cloud, BUCKET, Catalogue(stage, case.failing), until=300)
        topic, queues = _the_topic(stage), queues_made(stage, QUEUES)
        _check_function(stage)
        uploads = _shuffled(stage, case.uploads)
        for n, (key, how) in enumerate(uploads):
            cloud.kernel.at(cloud.now + _GAP * n, _upload, stage, key, how)
        stage.run(cloud.now + _GAP * len(uploads) + _RETRIES, every=10.0)
        removed = next((key for key, _ in uploads if wanted(key)), "") if case.deleted else ""
        if removed:
            cloud.service("s3").delete_object(_visitor(stage), bucket=BUCKET, key=removed)
        stage.run(cloud.now + 60, every=10.0)
        stage.given = topic, queues, uploads, removed


EXERCISES = (Pipeline(),)
