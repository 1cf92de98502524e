"""The scenario of lab 04b: a bucket tells two programs of each photo, by one queue or by a topic."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from typing import Any
from urllib.parse import unquote_plus

from lablib.actors.fleet import Worker
from lablib.actors.producers import call_with_retries
from lablib.aws.event import Event
from lablib.aws.permissions import let_in
from lablib.cloud import Cloud
from lablib.scenarios.actions import action
from lablib.scenarios.missions import Met, changed, met_unless, mission
from lablib.scenarios.param import choice, duration_of, switch, whole
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario
from lablib.scenarios.stage import Resource, Stage, always
from lablib.scenarios.stages import RATE, RESTART, SPREAD, VISIBILITY_TIMEOUT, WORK
from lablib.texts import counted

BUCKET, TOPIC, FUNCTION = "photos-of-spring", "uploads", "catalogue"
PROGRAMS = {"resize": "Resize", "faces": "Faces"}
_PREFIX = "photos/"
_PHOTO = b"x" * 1000
_AWAY = "For a while the catalogue cannot be reached, and the function raises."
_WORDS = {
    "title": "Photo by photo",
    "foot": "a column is a photo, a cell a program that is done with it",
    "all": "done by all",
    "some": "missed",
    "open": "still open",
    "curve": "photos that a program misses",
    "one": "photo that a program misses",
    "many": "photos that a program misses",
    "none": "no photo that a program misses",
    "card": {
        "born": "it is in the bucket",
        "told": "done with it",
        "not": "not yet",
        "never": "misses it",
        "all": "Every program is done with it.",
        "open": "Not every program is done with it.",
    },
}


# ---- missions --------------------------------------------------------------------------------------------------------


@mission("04b.each", "way")
def all_for_each(run: Run) -> Met:
    """Each program works on each photo."""
    count = worked(run)
    near = {
        f"{counted(count['some'], 'photo')} done by one program only": count["some"],
        "no photo is done": not count["all"],
    }
    return changed(run, "rate", "work", "consumers") or met_unless(run, near)


@mission("04b.loop", "stored", "way")
def loop(run: Run) -> Met:
    """A photo, of which a program made a small picture, of which it made a small picture, five times over."""
    depths = [(row.subject.count("-small"), row.time) for row in run.trace.where("ObjectCreated")]
    most = max((depth for depth, _ in depths), default=0)
    near = f"a photo was made small {counted(most, 'time')} at most"
    return next((time for depth, time in depths if depth == 5), near)


@mission("04b.gone", "catalogue", "catalogue_away", "way")
def gone(run: Run) -> Met:
    """The function was called three times for a photo, and then the event was given up."""
    failed = Counter(row.subject for row in run.trace.where("InvocationFailed"))
    values = run.scenario.values()
    told = values["catalogue"] and values["way"] == "a topic"
    near = "the function did not fail" if told else "no function is told of a photo"
    if failed:
        near = f"the function failed at most {counted(max(failed.values()), 'time')} for a photo"
    return next((row.time for row in run.trace.where("EventDiscarded", FUNCTION)), near)


class Uploads(Scenario):
    """Two programs want to work on each photo that is uploaded.

    `resize` makes a small picture (a thumbnail), `faces` looks for faces. `way` decides whom the bucket tells: one
    queue, which both programs poll, or a topic with a queue for each. The same seed brings the same photos and the same
    work.
    """

    duration = 300.0
    services = ("s3", "sns", "sqs", "lambda")
    missions = (all_for_each, loop, gone)

    way: str = choice("a topic", "one queue", aws="TopicConfigurations").says(
        "the bucket tells",
        "A topic, to which a queue for each program subscribes; or one queue, from which both programs take.",
    )
    rate: float = RATE.but(default=0.25, low=0.01, high=2.0, step=0.05, unit="photos/s", log=True).says(
        "upload rate", "Photos that are uploaded a second, at random."
    )
    stored: str = choice("small/", "photos/", aws="prefix").says(
        "small pictures go to",
        "Where in the same bucket they are stored. The bucket's rule is for all that comes under photos/.",
    )
    catalogue: bool = switch(False, aws="Protocol: lambda").says(
        "function catalogue",
        "A function is told too. It enters each photo into a list. For a topic only: a rule names one destination.",
    )
    consumers: int = whole(2, 0, 10, "a program", live=True, help="Consumers of each program.")
    work: float = WORK.but(default=7.0, high=60.0, help="Half of the photos take less than this, half take more.")
    spread: float = SPREAD
    restart: float = RESTART
    visibility_timeout: int = VISIBILITY_TIMEOUT.but(live=False)

    def receivers(self) -> dict[str, str]:
        """Who wants each photo: id and label."""
        wants = self.values()["catalogue"] and self.values()["way"] == "a topic"
        return {**PROGRAMS, **({FUNCTION: "Catalogue"} if wants else {})}

    def lens(self, run: Run) -> dict[str, Any]:
        """The board: who worked on which photo, and when."""
        names = self.receivers()
        board = [
            {
                "name": key.removeprefix(_PREFIX),
                "t": photo["t"],
                "ended": None,
                "open": photo["state"] in ("open", "nobody"),
                "settled": photo["over"],
                "wanted": [True] * len(names),
                "told": [photo["done"].get(name) for name in names],
                "says": f"Nobody but {' and '.join(photo['done'])} will work on {key.removeprefix(_PREFIX)}.",
            }
            for key, photo in photos(run).items()
        ]
        receivers = [{"label": label, "must": True} for label in names.values()]
        return {"painter": "board", "receivers": receivers, "orders": board, "words": _WORDS}

    def build(self, cloud: Cloud) -> Stage:
        return _UploadsStage(cloud, self)

    def assume(self) -> dict[str, float]:
        return {"sqs.outages_per_hour": 0.0}

    def results(self, run: Run) -> dict[str, int]:
        """How many photos were worked on by whom."""
        count = worked(run)
        return {
            "photos done by all": count["all"],
            "photos done by some": count["some"],
            "photos on their way": count["open"],
        }


class _UploadsStage(Stage):
    """Visitors store photos; the bucket tells the programs, which receive, work and delete."""

    events = (
        Event("PhotoDone", "{actor} is done with {subject}"),
        Event("Intervened", "{detail}", label="change", notable="{detail}"),
    )

    def __init__(self, cloud: Cloud, scenario: Uploads) -> None:
        super().__init__(cloud, scenario)
        self.s3 = cloud.direct("s3")
        self.away_until = 0.0
        self.place("bucket", "Bucket photos", "bucket", f"{BUCKET} s3/{BUCKET}")
        self.ask("s3", "create_bucket", bucket=BUCKET)
        if scenario.way == "a topic":
            queues = self._by_topic(scenario)
        else:
            one = self.queue("photos", VisibilityTimeout=scenario.visibility_timeout)
            policy = let_in("s3.amazonaws.com", "sqs:SendMessage", one.arn, f"arn:aws:s3:::{BUCKET}")
            self.set_queue(one, Policy=policy)
            self.link("bucket", one.place)
            queues = dict.fromkeys(PROGRAMS, one)
            self._tell(QueueConfigurations=[{"QueueArn": one.arn}])
        for name, queue in queues.items():
            serve = self.consumer(queue, self._work)
            self.fleet(name, PROGRAMS[name], serve, on=queue.place, id=f"{name}-program")
        self.front_end(self.handle, always(lambda: self.values["rate"]), to=["bucket"], id="visitors", label="Visitors")
        self.link("bucket", "lost", t_from=math.inf)

    # ---- who is told -------------------------------------------------------------------------------------------------

    def _by_topic(self, scenario: Uploads) -> dict[str, Resource]:
        queues = {name: self.queue(name, VisibilityTimeout=scenario.visibility_timeout) for name in PROGRAMS}
        topic = self.topic(TOPIC, id="topic", to=queues.values())
        policy = let_in("s3.amazonaws.com", "sns:Publish", topic.arn, f"arn:aws:s3:::{BUCKET}")
        self.ask("sns", "set_topic_attributes", topic_arn=topic.arn, attribute_name="Policy", attribute_value=policy)
        if scenario.catalogue:
            self._subscribe_function(topic)
        self.link("bucket", "topic")
        self._tell(TopicConfigurations=[{"TopicArn": topic.arn}])
        return queues

    def _subscribe_function(self, topic: Resource) -> None:
        arn = self.cloud.deploy(FUNCTION, self._enter)
        self.ask(
            "lambda",
            "add_permission",
            function_name=FUNCTION,
            statement_id="sns",
            action="lambda:InvokeFunction",
            principal="sns.amazonaws.com",
            source_arn=topic.arn,
        )
        self.place("function", "Catalogue", "function", f"{FUNCTION} lambda/{FUNCTION}")
        self.ask("sns", "subscribe", topic_arn=topic.arn, protocol="lambda", endpoint=arn)
        self.link("topic", "function")
        self.link("function", "done", "lost")

    def _tell(self, **configurations: list[dict[str, Any]]) -> None:
        """One rule of the bucket: for all that is stored under photos/."""
        prefix = {"Key": {"FilterRules": [{"Name": "prefix", "Value": _PREFIX}]}}
        rules = {
            kind: [{**rule, "Events": ["s3:ObjectCreated:*"], "Filter": prefix} for rule in found]
            for kind, found in configurations.items()
        }
        self.ask("s3", "put_bucket_notification_configuration", bucket=BUCKET, notification_configuration=rules)

    # ---- the programs ------------------------------------------------------------------------------------------------

    def _work(self, worker: Worker, message_id: str, body: str, row: int) -> None:
        """Work on what S3 tells of. Its test event tells of nothing."""
        program = worker.name.rpartition("-")[0]
        for key in keys_in(body):
            seconds = self.work_seconds(f"{program} {key}")
            ended = worker.work(worker.name, message_id, row, seconds)
            self.cloud.trace.add("PhotoDone", program, key, worker.name, ended)
            if program == "resize":
                self.cloud.trace.act_for(worker.name, ended)
                self._store(f"{self.values['stored']}{key.removeprefix(_PREFIX).removesuffix('.jpg')}-small.jpg")
                self.cloud.trace.act_for(worker.name, -1)

    def _enter(self, event: dict[str, Any], context: Any) -> None:
        """The function: it enters photos into a list."""
        keys = keys_in(event["Records"][0]["Sns"]["Message"])
        self.cloud.kernel.sleep(0.5)
        if self.cloud.kernel.now < self.away_until:
            raise ConnectionError("the catalogue cannot be reached")
        for key in keys:
            self.cloud.trace.add("PhotoDone", FUNCTION, key, f"lambda/{FUNCTION}")

    # ---- uploads -----------------------------------------------------------------------------------------------------

    def _store(self, key: str) -> None:
        call_with_retries(self.cloud.kernel, self.s3.put_object, Bucket=BUCKET, Key=key, Body=_PHOTO)

    def handle(self, number: int) -> None:
        """The `number`-th photo is uploaded."""
        self.cloud.spawn(self._store, f"{_PREFIX}photo-{number}.jpg", name="front-end")

    def handle_burst(self, keys: list[str]) -> None:
        for key in keys:
            self.cloud.spawn(self._store, f"{_PREFIX}{key}.jpg", name="front-end-burst")

    # ---- what can be done to it --------------------------------------------------------------------------------------

    @action(
        "Catalogue is away", _AWAY, duration_of(60.0), when=lambda stage: "function" in stage._places, at="function"
    )
    def catalogue_away(self, seconds: float) -> None:
        """The function fails for so long."""
        kernel, add = self.cloud.kernel, self.cloud.trace.add
        self.away_until = until = max(self.away_until, kernel.now + seconds)
        add("Intervened", detail=f"The catalogue cannot be reached for {seconds:g} s: the function raises.")

        def over() -> None:
            if self.away_until == until:
                add("Intervened", detail="The catalogue can be reached again.")

        kernel.at(until, over)


# ---- who worked on a photo -------------------------------------------------------------------------------------------


def keys_in(text: str) -> list[str]:
    """The keys of the objects that an event of S3 tells of; none in its test event."""
    return [unquote_plus(record["s3"]["object"]["key"]) for record in json.loads(text).get("Records", [])]


def photos(run: Run) -> dict[str, dict[str, Any]]:
    """Each object under photos/: "t", when it was stored; "done", when each program was first done with it; "state":
    done by "all", "some" or "nobody", or "open" while somebody may still get it; "over": since when nobody may.
    """
    trace, scenario = run.trace, run.scenario
    assert isinstance(scenario, Uploads)
    wanted = len(scenario.receivers())
    done: dict[str, dict[str, float]] = defaultdict(dict)
    for row in trace.where("PhotoDone"):
        done[row.subject].setdefault(row.resource, row.time)
    ends = _ends(run)
    told = wanted if scenario.values()["way"] == "a topic" else 1
    found = {}
    for row in trace.where("ObjectCreated"):
        key = row.subject
        if key.startswith(_PREFIX):
            had = done.get(key, {})
            state = "all" if len(had) == wanted else "open" if len(ends[key]) < told else "some" if had else "nobody"
            over = None if state == "open" else max(ends[key], default=None)
            found[key] = {"t": row.time, "done": had, "state": state, "over": over}
    return found


def _ends(run: Run) -> dict[str, list[float]]:
    """When each of those that were told of an object had no more to do with it: deleted, done, or given up."""
    trace = run.trace
    sent = {row.subject: row.index for row in trace.where("Sent")}
    ends: dict[str, list[float]] = defaultdict(list)
    for row in trace.where(("Deleted", "InvocationEnded", "EventDiscarded")):
        causes = [cause for cause in trace.chain(sent.get(row.subject, row.index)) if cause.kind == "ObjectCreated"]
        for cause in causes[-1:]:  # a thumbnail comes of a photo, and counts for itself
            ends[cause.subject].append(row.time)
    return ends


def worked(run: Run) -> Counter[str]:
    """How many photos were done by "all", "some", "nobody", or are still "open"."""
    counts = Counter({"all": 0, "some": 0, "nobody": 0, "open": 0})
    counts.update(photo["state"] for photo in photos(run).values())
    return counts


SCENARIOS: dict[str, type[Scenario]] = {"Uploads": Uploads}
