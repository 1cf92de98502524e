"""Figures of runs: pure functions from a run to a `plotly.graph_objects.Figure`. They compute nothing twice and
change nothing. They come with plotly, which takes a while to import: when the first is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lablib.views.history import Life, life, lives
from lablib.views.limits import limits
from lablib.views.theme import use

if TYPE_CHECKING:
    from lablib.views.figures import compare, latency, overview, stays, sweep

__all__ = ["Life", "compare", "latency", "life", "limits", "lives", "overview", "stays", "sweep", "use"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lablib.views' has no attribute {name!r}")
    return getattr(import_module("lablib.views.figures"), name)


def __dir__() -> list[str]:
    return __all__
