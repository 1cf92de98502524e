"""Scenarios: situations to play with, and the runs that come of them."""

from lablib.scenarios.actions import Action, ActionSpec, action, for_lane
from lablib.scenarios.found import topology_of
from lablib.scenarios.param import Param, ParamSpec
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Scenario, find
from lablib.scenarios.stage import Stage
from lablib.scenarios.topology import Actor, Link, Place, Topology

__all__ = [
    "Action",
    "ActionSpec",
    "Actor",
    "Link",
    "Param",
    "ParamSpec",
    "Place",
    "Run",
    "Scenario",
    "Stage",
    "Topology",
    "action",
    "find",
    "for_lane",
    "topology_of",
]
