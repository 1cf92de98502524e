"""Any two settings of a lab at the ends of their ranges: the run goes on, whatever a learner tries together."""

import itertools
import logging

import pytest
from scenarios import learner

from lablib.scenarios import ParamSpec
from lablib.scenarios.lab05 import TruckStream

logging.getLogger("stomp.py").addHandler(logging.NullHandler())  # it tells of each attempt to connect
SCENARIOS = sorted(learner.benches(), key=lambda kind: kind.__name__)


def ends(spec: ParamSpec) -> tuple:
    """All values of a choice, the lowest and the highest of a number."""
    return (False, True) if spec.kind is bool else spec.choices or (spec.low, spec.high)


def pairs(kind):
    """Settings: each two, at each of their ends."""
    for (one, first), (two, second) in itertools.combinations(kind.params().items(), 2):
        for values in itertools.product(ends(first), ends(second)):
            yield dict(zip((one, two), values, strict=True))


@pytest.mark.ci
@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
def test_any_two_settings_go_together(kind):
    for settings in pairs(kind):
        run = kind(**settings).run(seed=1, until=4.0)
        assert run.until == 4.0, settings


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
def test_what_can_be_done_belongs_to_something_in_the_picture(kind):
    for settings in [{}, *({name: value} for name, spec in kind.params().items() for value in spec.choices)]:
        scenario = kind(**settings)
        topology = scenario.run(seed=1, until=1.0).topology
        there = {word for place in topology.places for word in (place.id, place.role)}
        for spec in scenario.actions():
            assert spec.targets or there & set(spec.at.split()), (settings, spec)


def test_what_is_tried_together_is_all_that_there_is():
    tried = list(pairs(TruckStream))
    assert {"dashboards": 6, "pipes": "own"} in tried
    assert len(tried) == len({tuple(each.items()) for each in tried}) > 500
