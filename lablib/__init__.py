"""The messaging lab: AWS messaging in virtual time, for ordinary boto3 code.

    from lablib import Cloud
    cloud = Cloud(seed=7)
    sqs = cloud.client("sqs")

Importing this package makes the standard library virtual inside the lab's processes (clocks, threads, random numbers,
sockets: `lablib.kernel.stdlib`), and leaves it as it is everywhere else. All else is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lablib.kernel import stdlib

if TYPE_CHECKING:
    from lablib import views
    from lablib.cloud import Cloud
    from lablib.exercises import exercise
    from lablib.gateway import Fault
    from lablib.scenarios import Action, Param, Run, Scenario
    from lablib.workbench import workbench

stdlib.install()

_WHERE = {
    "Action": "lablib.scenarios",
    "Cloud": "lablib.cloud",
    "Fault": "lablib.gateway",
    "Param": "lablib.scenarios",
    "Run": "lablib.scenarios",
    "Scenario": "lablib.scenarios",
    "exercise": "lablib.exercises",
    "limits": "lablib.views.limits",
    "views": "lablib.views",
    "workbench": "lablib.workbench",
}
__all__ = ["Action", "Cloud", "Fault", "Param", "Run", "Scenario", "exercise", "limits", "views", "workbench"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'lablib' has no attribute {name!r}")
    module = import_module(_WHERE[name])
    return module if name == "views" else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
