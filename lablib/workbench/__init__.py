"""The workbench: `workbench(VideoQueue)` shows a scenario to play with. The module itself can be called."""

import sys
from types import ModuleType
from typing import Any

from lablib.workbench.export import to_html
from lablib.workbench.prediction import Prediction, predict
from lablib.workbench.question import Choice, Curve, Number
from lablib.workbench.verdict import VerdictView, show_verdict
from lablib.workbench.widget import Workbench, workbench

__all__ = [
    "Choice",
    "Curve",
    "Number",
    "Prediction",
    "VerdictView",
    "Workbench",
    "predict",
    "show_verdict",
    "to_html",
    "workbench",
]


class _Callable(ModuleType):
    """`from lablib import workbench` gives this module, or the function: both can be called the same way."""

    def __call__(self, *args: Any, **kwargs: Any) -> Workbench:
        return workbench(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
