"""What can be counted in a run: series over time and numbers, for one run, for two side by side, for many."""

from lablib.measures.compare import Band, Comparison, band, bands, compare, first_difference
from lablib.measures.fanout import Branch, FanOut
from lablib.measures.measures import RATES, Measures, Work
from lablib.measures.notable import Notable
from lablib.measures.series import Number, Series

__all__ = [
    "RATES",
    "Band",
    "Branch",
    "Comparison",
    "FanOut",
    "Measures",
    "Notable",
    "Number",
    "Series",
    "Work",
    "band",
    "bands",
    "compare",
    "first_difference",
]
