"""The stage: resources with their places, what comes and goes during a run, actions as methods."""

import math

import pytest

from lablib.cloud import Cloud
from lablib.scenarios import Action, Link, Param, Scenario, Stage, action, find, for_lane
from lablib.scenarios.actions import Targets
from lablib.scenarios.lab01 import Fleet, Promises, VideoQueue
from lablib.scenarios.lab02 import Polling, Visibility
from lablib.scenarios.lab03 import Trucks
from lablib.scenarios.lab04 import FanOut
from lablib.scenarios.param import RESERVED, choice, duration_of, number, seconds, share, switch, whole
from lablib.scenarios.topology import ROLES


@pytest.fixture
def stage():
    with Cloud() as cloud:
        yield Stage(cloud)


def spans(run):
    return {(actor.name, actor.t_from, actor.t_to) for actor in run.topology.actors}


# ---- resources, programs, places -----------------------------------------------------------------------------------


def test_a_queue_is_made_and_has_its_place(stage):
    queue = stage.queue("mail", VisibilityTimeout=7)
    (place,) = stage.topology().places
    assert (place.id, place.label, place.role, place.match) == ("mail", "Queue mail", "queue", "mail")
    sqs = stage.cloud.direct("sqs")
    assert sqs.get_queue_url(QueueName="mail")["QueueUrl"] == queue.url
    found = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["VisibilityTimeout", "QueueArn"])
    assert found["Attributes"] == {"VisibilityTimeout": "7", "QueueArn": queue.arn}


def test_a_topic_sends_to_its_queues_and_web_servers(stage):
    mail, stock = stage.queue("mail"), stage.queue("stock")
    topic = stage.topic("orders", to=[mail, stock])
    web = stage.web("https://partner.example/", "Partner")
    stage.subscribe(topic, web)
    assert [(link.source, link.target) for link in stage.topology().links] == [
        ("orders", "mail"), ("orders", "stock"), ("orders", "web"),
    ]  # fmt: skip
    cloud = stage.cloud
    cloud.direct("sns").publish(TopicArn=topic.arn, Message="hello")
    cloud.advance(5)
    for queue in (mail, stock):
        answer = cloud.direct("sqs").receive_message(QueueUrl=queue.url, WaitTimeSeconds=1)
        assert [message["Body"] for message in answer["Messages"]] == ["hello"]
    assert [request.body for request in cloud.service("sns").inbox(web.url).received][-1] == "hello"


def test_what_is_received_too_often_moves_and_the_link_says_so(stage):
    jobs, dead = stage.queue("jobs", VisibilityTimeout=1), stage.queue("dead", role="dead-letter")
    stage.redrive(jobs, dead, 1)
    cloud = stage.cloud
    sqs = cloud.direct("sqs")
    sqs.send_message(QueueUrl=jobs.url, MessageBody="x")
    for _ in range(2):
        sqs.receive_message(QueueUrl=jobs.url, WaitTimeSeconds=1)
        cloud.advance(2)
    assert [row.detail for row in cloud.trace.where("MovedToDeadLetterQueue")] == ["dead"]
    assert Link("jobs", "dead") in stage.topology().links


def test_a_fleet_takes_from_its_queue(stage):
    queue = stage.queue("mail")
    stage.fleet("mailer", "Mailers", stage.consumer(queue, lambda *_: None), on="mail", size=2)
    topology = stage.topology()
    assert topology["mailers"].match == "mailer-*"
    assert {(link.source, link.target) for link in topology.links} == {
        ("mail", "mailers"), ("mailers", "mail"), ("mailers", "done"),
    }  # fmt: skip
    assert [(actor.name, actor.place) for actor in topology.actors] == [
        ("mailer-1", "mailers"), ("mailer-2", "mailers"),
    ]  # fmt: skip


def test_places_stand_in_the_order_of_flow_whenever_they_were_made(stage):
    stage.place("end", "End", "done")
    stage.place("out", "Out", "consumer")
    stage.place("in", "In", "producer")
    stage.place("middle", "Middle", "queue")
    assert [place.id for place in stage.topology().places] == ["in", "middle", "out", "end"]


def test_a_place_keeps_the_hints_for_the_picture(stage):
    stage.place("a", "A", "queue", zone="us-east-1a", row=2)
    assert (stage.topology()["a"].zone, stage.topology()["a"].row) == ("us-east-1a", 2)
    stage.place("b", "B", "consumer")
    stage.link("a", "b", capacity=1000)
    assert stage.topology().links == (Link("a", "b", capacity=1000),)


def test_an_unknown_role_or_place_is_refused(stage):
    with pytest.raises(ValueError, match=r"^role='spaceship': must be one of 'producer', "):
        stage.place("s", "S", "spaceship")
    with pytest.raises(KeyError):
        stage.link("nowhere", "done")
    with pytest.raises(KeyError):
        stage.topology()["nowhere"]


def test_a_lab_can_add_a_role(stage, monkeypatch):
    monkeypatch.setitem(ROLES, "shard", type(ROLES["queue"])(25, weight=3.0))
    stage.place("queue", "Queue", "queue")
    stage.place("s", "Shard", "shard")
    assert [place.id for place in stage.topology().places] == ["s", "queue"]


# ---- what comes and goes -------------------------------------------------------------------------------------------


def test_a_shard_that_splits_ends_and_two_begin(stage):
    stage.place("in", "Cars", "producer")
    stage.place("shard-1", "Shard 1", "queue")
    stage.link("in", "shard-1")
    stage.cloud.advance(30)
    stage.end("shard-1")
    for name in ("shard-2", "shard-3"):
        stage.place(name, name, "queue")
        stage.link("in", name)
    topology = stage.topology()
    assert [(p.id, p.t_from, p.t_to) for p in topology.places if p.role == "queue"] == [
        ("shard-1", 0.0, 30.0), ("shard-2", 30.0, math.inf), ("shard-3", 30.0, math.inf),
    ]  # fmt: skip
    assert [(link.target, link.t_from, link.t_to) for link in topology.links] == [
        ("shard-1", 0.0, 30.0), ("shard-2", 30.0, math.inf), ("shard-3", 30.0, math.inf),
    ]  # fmt: skip


def test_workers_come_and_go_with_scaling_and_stay_through_a_crash():
    acts = [
        Action("crash", 20.0, "consumer-1"),
        Action("set", 40.0, "consumers", 3),
        Action("set", 80.0, "consumers", 1),
    ]
    run = VideoQueue(consumers=2, rate=0.1, spread=1.0).run(3, acts, until=120)
    found = spans(run)
    assert ("consumer-1", 0.0, math.inf) in found
    assert [80.0 <= end < 105.0 for name, begin, end in found if (name, begin) == ("consumer-3", 40.0)] == [True]
    (second,) = [end for name, _, end in found if name == "consumer-2"]
    assert 80.0 <= second < 105.0  # it may finish its poll, and what it has in hand


def test_who_is_scaled_in_while_down_is_gone_at_once_and_who_comes_back_stands_twice():
    acts = [
        Action("crash", 20.0, "consumer-2"),
        Action("set", 25.0, "consumers", 1),
        Action("set", 60.0, "consumers", 2),
    ]
    run = VideoQueue(consumers=2).run(3, acts, until=90)
    assert {span for span in spans(run) if span[0] == "consumer-2"} == {
        ("consumer-2", 0.0, 25.0), ("consumer-2", 60.0, math.inf),
    }  # fmt: skip


def test_a_subscription_that_comes_later_is_a_link_that_begins_later():
    late = FanOut(late=True)

    def begins(topology):
        return {link.target: link.t_from for link in topology.links if link.source == "topic"}

    assert begins(late.topology())["analytics"] == math.inf
    assert begins(late.topology())["mail"] == 0.0
    assert begins(late.run(1, [Action("add_analytics", 50.0)], until=60).topology)["analytics"] == 50.0
    assert begins(late.run(1, until=60).topology)["analytics"] == math.inf


@pytest.mark.parametrize(
    "scenario", [VideoQueue(), VideoQueue(mode="direct"), Visibility(max_receives=2), Trucks(), FanOut()], ids=repr
)
def test_the_places_are_known_before_a_run_and_are_those_of_the_run(scenario):
    before, run = scenario.topology(), scenario.run(until=5)
    assert (run.topology.places, run.topology.links) == (before.places, before.links)
    assert all(place.t_from == 0 for place in before.places)
    assert {actor.name for actor in before.actors} == {actor.name for actor in run.topology.actors}


# ---- actions -------------------------------------------------------------------------------------------------------


class BellStage(Stage):
    def __init__(self, cloud, scenario):
        super().__init__(cloud, scenario)
        self.bells = ["big", "small"] if scenario.bells else []

    def names(self):
        return self.bells

    @action("Ring", "It rings.", duration_of(5.0), targets=Targets(names))
    def ring(self, bell, seconds):
        self.cloud.trace.add("Rang", bell, until=self.cloud.now + seconds)

    @action("Silence", "Nothing rings.", when=lambda stage: stage.bells)
    def silence(self):
        self.cloud.trace.add("Silenced")


class BellTower(Scenario):
    """A tower with bells."""

    bells: bool = switch(True)
    height: int = whole(20, 1, 100, "m")

    def build(self, cloud):
        return BellStage(cloud, self)


def test_an_action_is_a_method_with_its_label_value_and_targets():
    ring, silence = BellTower().actions()
    assert (ring.kind, ring.label, ring.targets, ring.help) == ("ring", "Ring", ("big", "small"), "It rings.")
    assert (ring.value_param.default, ring.value_param.unit) == (5.0, "s")
    assert (silence.kind, silence.targets, silence.value_param) == ("silence", (), None)
    run = BellTower().run(0, [Action("ring", 1.0, "small"), Action("silence", 2.0)], until=3)
    assert [(row.kind, row.resource, row.until) for row in run.trace] == [("Rang", "small", 6.0), ("Silenced", "", 0.0)]


def test_an_action_that_has_nothing_to_act_on_is_not_offered():
    assert BellTower(bells=False).actions() == ()
    with pytest.raises(ValueError, match=r"^kind='ring': BellTower knows one of nothing"):
        BellTower(bells=False).run(0, [Action("ring", 1.0, "big")], until=3)


def test_an_action_can_be_for_one_of_two_runs_side_by_side():
    both, mine = Action("burst", 5.0, value=3), Action("crash", 9.0, "consumer-1", lane="B")
    assert for_lane([both, mine], "A") == (both,)
    assert for_lane([both, mine], "B") == (both, Action("crash", 9.0, "consumer-1"))
    with pytest.raises(ValueError, match=r"^crash: lane='B': a run has no lanes"):
        VideoQueue().run(actions=[mine], until=20)


# ---- names that would collide --------------------------------------------------------------------------------------


def test_a_parameter_may_not_have_the_name_of_an_attribute_of_a_widget():
    import anywidget
    import ipywidgets

    for kind in (ipywidgets.DOMWidget, anywidget.AnyWidget):
        missing = {name for name in dir(kind) if not name.startswith("_")} - RESERVED
        assert not missing, f"{kind.__name__}: add them to lablib.scenarios.param.RESERVED"


@pytest.mark.parametrize("scenario", [VideoQueue, Promises, Fleet, Visibility, Polling, Trucks, FanOut])
def test_no_parameter_has_the_name_of_an_attribute_of_the_workbench(scenario):
    from lablib.workbench.widget import Workbench

    assert not scenario.params().keys() & set(dir(Workbench))


@pytest.mark.parametrize("name", ["keys", "layout", "comm", "observe", "run", "seed", "cursor", "selected", "duration"])
def test_such_a_parameter_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}: a parameter cannot have this name"):
        type("Odd", (Scenario,), {"__module__": __name__, name: Param(1, low=0, high=2)})


def test_two_labs_cannot_have_scenarios_of_one_name():
    with pytest.raises(ValueError, match=r"^VideoQueue: lablib.scenarios.lab99 and lablib.scenarios.lab01 both have"):
        type("VideoQueue", (Scenario,), {"__module__": "lablib.scenarios.lab99"})
    assert find("VideoQueue") is VideoQueue


def test_a_cell_that_defines_a_scenario_can_be_run_again():
    def define():
        return type("Rerun", (Scenario,), {"__module__": __name__})

    first, second = define(), define()
    assert find("Rerun") is second is not first


# ---- parameters in short -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "default", "low", "high", "step", "unit"),
    [
        (whole(3, 0, 9, "trucks"), 3, 0, 9, 1, "trucks"),
        (number(3, 0, 9, "m", step=0.5), 3.0, 0.0, 9.0, 0.5, "m"),
        (seconds(3.0, 0.0, 9.0), 3.0, 0.0, 9.0, 1, "s"),
        (seconds(3, 0, 9), 3, 0, 9, 1, "s"),
        (share(0.5), 0.5, 0.0, 1.0, 0.05, "%"),
    ],
)
def test_a_number_in_short(made, default, low, high, step, unit):
    assert (made.default, made.low, made.high, made.step, made.unit) == (default, low, high, step, unit)
    assert made.kind is type(default)


def test_the_other_parameters_in_short_and_their_words():
    assert choice("a", "b").choices == ("a", "b")
    assert choice("a", choices=("c", "a")).choices == ("c", "a")
    assert switch(True).kind is bool
    said = whole(1, 0, 2).says("count", "How many.")
    assert (said.label, said.help) == ("count", "How many.")
    assert said.but(high=5).high == 5
    with pytest.raises(ValueError, match=r"^default="):
        number(10, 0, 9)
