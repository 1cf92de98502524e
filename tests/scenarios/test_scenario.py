"""Scenarios: parameters declared once, values that are checked, actions that are checked."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lablib.scenarios import Action, Param, ParamSpec, Scenario, find
from lablib.scenarios.lab01 import Fleet, Promises, VideoQueue
from lablib.scenarios.param import share
from lablib.services import quotas

ALL = [VideoQueue, VideoQueue(mode="direct"), Promises, Fleet]


class Toy(Scenario):
    """A toy to test with.

    More words.
    """

    speed: float = Param(1.5, low=0.5, high=3.0, unit="m/s", live=True)
    wheels: int = Param(4, low=2, high=8)
    colour: str = Param("red", choices=("red", "blue"))
    loud: bool = Param(False)


class LouderToy(Toy):
    """A toy that makes more noise."""

    volume: int = Param(11, low=0, high=11)


def test_a_scenario_is_a_value():
    toy = Toy(wheels=6)
    assert (toy.speed, toy.wheels, toy.colour, toy.loud) == (1.5, 6, "red", False)
    assert toy == Toy(wheels=6.0)
    assert hash(toy) == hash(Toy(wheels=6))
    assert toy != Toy()
    assert toy.replace(wheels=4) == Toy()
    assert toy.changed() == {"wheels": 6}
    assert repr(toy) == "Toy(wheels=6)"
    assert toy.title == "A toy to test with"
    with pytest.raises(AttributeError, match=r"use scenario.replace\(wheels=8\)"):
        toy.wheels = 8
    with pytest.raises(AttributeError):
        del toy.wheels


def test_a_subclass_adds_its_parameters():
    assert list(LouderToy.params()) == ["speed", "wheels", "colour", "loud", "volume"]
    assert "volume" not in Toy.params()
    assert LouderToy() != Toy()
    assert list(inspect.signature(LouderToy).parameters) == list(LouderToy.params())


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"weels": 3}, TypeError,
         "Toy has no parameter 'weels'; did you mean 'wheels'?; it has: speed, wheels, colour, loud"),
        ({"wheels": 9}, ValueError, "wheels=9: must be a whole number from 2 to 8"),
        ({"wheels": 2.5}, TypeError, "wheels=2.5: must be a whole number from 2 to 8"),
        ({"wheels": True}, TypeError, "wheels=True: must be a whole number from 2 to 8"),
        ({"wheels": "4"}, TypeError, "wheels='4': must be a whole number from 2 to 8"),
        ({"wheels": None}, TypeError, "wheels=None: must be a whole number from 2 to 8"),
        ({"wheels": float("nan")}, TypeError, "wheels=nan: must be a whole number from 2 to 8"),
        ({"speed": float("nan")}, ValueError, "speed=nan: must be a number from 0.5 to 3 m/s"),
        ({"speed": float("inf")}, ValueError, "speed=inf: must be a number from 0.5 to 3 m/s"),
        ({"speed": [1]}, TypeError, "speed=[1]: must be a number from 0.5 to 3 m/s"),
        ({"colour": "blu"}, ValueError, "colour='blu': must be one of 'red', 'blue'; did you mean 'blue'?"),
        ({"colour": 3}, ValueError, "colour=3: must be one of 'red', 'blue'"),
        ({"loud": 1}, TypeError, "loud=1: must be True or False"),
    ],
)  # fmt: skip
def test_a_bad_value_is_answered_in_one_line(values, error, text):
    with pytest.raises(error) as caught:
        Toy(**values)
    assert str(caught.value) == text


def test_a_share_is_shown_in_percent():
    spec = share(0.05, label="bad orders", name="bad")
    assert spec.said(0.05) == "bad orders 5 %"
    assert spec.range == "0 to 1: a share, 0.1 is 10 %"
    with pytest.raises(ValueError, match=r"bad=10: must be a number from 0 to 1: a share, 0.1 is 10 %"):
        spec.check(10)


def test_numpy_numbers_are_numbers():
    numpy = pytest.importorskip("numpy")
    toy = Toy(wheels=numpy.int64(6), speed=numpy.float32(2.0))
    assert toy == Toy(wheels=6, speed=2.0)
    assert type(toy.wheels) is int


@pytest.mark.parametrize(
    "make",
    [
        lambda: Param(5, low=0, high=4),
        lambda: Param(5),
        lambda: Param("a"),
        lambda: Param("a", choices=("b",)),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(make):
    with pytest.raises(ValueError, match=r"^default="):
        make()


def test_find_knows_the_labs_and_guesses():
    assert find("VideoQueue") is VideoQueue
    with pytest.raises(ValueError, match=r"there is no scenario 'VideoQueu'; did you mean 'VideoQueue'\?"):
        find("VideoQueu")


@pytest.mark.parametrize("scenario", [VideoQueue, Promises, Fleet])
def test_each_parameter_says_what_it_is(scenario):
    for name, spec in scenario.params().items():
        assert spec.name == name
        assert spec.label, name
        assert spec.help.endswith("."), name
        assert spec.quota is None or spec.quota in quotas(), name
        if spec.aws and spec.kind is int:
            limit = quotas()[spec.quota]
            assert 0 <= spec.low <= spec.high <= min(limit.course, limit.today), name


@pytest.mark.parametrize("scenario", [VideoQueue(), VideoQueue(mode="direct"), Promises(), Fleet()])
def test_links_join_places_and_the_actors_of_a_run_have_one(scenario):
    from fnmatch import fnmatchcase

    topology = scenario.topology()
    ids = [place.id for place in topology.places]
    assert len(set(ids)) == len(ids)
    assert {end for link in topology.links for end in (link.source, link.target)} <= set(ids)
    trace = scenario.run(until=scenario.duration / 3).trace
    for actor in {row.actor for row in trace} - {"", "you"}:
        assert sum(fnmatchcase(actor, place.match) for place in topology.places) == 1, actor


# ---- actions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "error", "text"),
    [
        (Action("crsh", 1.0), ValueError,
         "kind='crsh': VideoQueue knows one of 'crash', 'freeze', 'burst', 'set', 'server_down'; did you mean 'crash'"),
        (Action("crash", 1.0, "consumer-51"), ValueError,
         "crash: target='consumer-51': must be one of 'consumer-1', 'consumer-2', 'consumer-3'"),
        (Action("crash", 1.0, "consumer-9"), ValueError,
         "target='consumer-9': there is none at 1 s; there are: consumer-1, consumer-2, consumer-3"),
        (Action("crash", 1.0, "consumer-1", 5), ValueError, "crash: value=5: this action takes no value"),
        (Action("crash", -1.0, "consumer-1"), ValueError, "crash: at=-1.0: must be a number of seconds from 0 to 20"),
        (Action("crash", 21, "consumer-1"), ValueError, "crash: at=21: must be a number of seconds from 0 to 20"),
        (Action("crash", float("nan"), "consumer-1"), ValueError,
         "crash: at=nan: must be a number of seconds from 0 to 20"),
        (Action("crash", "1", "consumer-1"), ValueError, "crash: at='1': must be a number of seconds from 0 to 20"),
        (Action("freeze", 1.0, "consumer-1", 0), ValueError, "value=0: must be a number from 0.1 to 86400 s"),
        (Action("burst", 1.0, "", 2.5), TypeError, "value=2.5: must be a whole number from 1 to 1000 messages"),
        (Action("burst", 1.0, "front-end", 2), ValueError, "burst: target='front-end': this action has no target"),
        (Action("server_down", 1.0, "server-9", 2), ValueError,
         "server_down: target='server-9': must be one of 'server-1'"),
        (Action("set", 1.0, "retention", 60), ValueError, "set: target='retention': must be one of 'rate', "),
        (Action("set", 1.0, "consumers"), TypeError, "consumers=None: must be a whole number from 0 to 50 consumers"),
        (Action("set", 1.0, "consumers", 51), ValueError,
         "consumers=51: must be a whole number from 0 to 50 consumers"),
        ("crash", TypeError, "actions: 'crash' is not an Action; write Action(kind, at, target, value)"),
    ],
)  # fmt: skip
def test_a_bad_action_is_answered_in_one_line(action, error, text):
    with pytest.raises(error) as caught:
        VideoQueue().run(actions=[action], until=20)
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)


def test_a_direct_call_has_no_queue_servers():
    with pytest.raises(ValueError, match="kind='server_down'"):
        VideoQueue(mode="direct").run(actions=[Action("server_down", 1.0, "server-1")])


@given(st.data())
def test_every_listed_action_is_accepted(data):
    scenario = data.draw(st.sampled_from([VideoQueue(), VideoQueue(mode="direct"), Promises(), Fleet()]))
    spec = data.draw(st.sampled_from(scenario.actions()))
    target = data.draw(st.sampled_from(spec.targets or ("",)))
    param = scenario.params()[target] if spec.kind == "set" else spec.value_param
    value = None if param is None else param.default
    checked = scenario.check_action(Action(spec.kind, 1, target, value), 10.0)
    assert checked == Action(spec.kind, 1.0, target, value)
    assert isinstance(param, ParamSpec | None)
