"""Scenarios: situations to play with, and the runs that come of them."""

from lablib.scenarios.notable import Notable
from lablib.scenarios.param import Param, ParamSpec
from lablib.scenarios.run import Run
from lablib.scenarios.scenario import Action, ActionSpec, Place, Scenario, Scene, Topology, find

__all__ = [
    "Action",
    "ActionSpec",
    "Notable",
    "Param",
    "ParamSpec",
    "Place",
    "Run",
    "Scenario",
    "Scene",
    "Topology",
    "find",
]
