"""Figures of runs: pure functions from a run to a `plotly.graph_objects.Figure`. They compute nothing twice and
change nothing."""

from lablib.views.figures import compare, latency, overview, stays, sweep
from lablib.views.history import Life, life, lives
from lablib.views.limits import limits
from lablib.views.theme import use

__all__ = ["Life", "compare", "latency", "life", "limits", "lives", "overview", "stays", "sweep", "use"]
