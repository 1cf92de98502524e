"""The simulation kernel: virtual time, processes, chance, trace. It knows nothing of AWS."""

from lablib.kernel.chance import Chance, Distribution, Stream, exponential, fixed, lognormal, uniform
from lablib.kernel.interrupt import RealTimeExceeded
from lablib.kernel.loop import Loop, Timer
from lablib.kernel.process import Kernel, Process, Signal, Stuck
from lablib.kernel.stdlib.locks import Lock
from lablib.kernel.trace import Row, Trace

__all__ = [
    "Chance",
    "Distribution",
    "Kernel",
    "Lock",
    "Loop",
    "Process",
    "RealTimeExceeded",
    "Row",
    "Signal",
    "Stream",
    "Stuck",
    "Timer",
    "Trace",
    "exponential",
    "fixed",
    "lognormal",
    "uniform",
]
