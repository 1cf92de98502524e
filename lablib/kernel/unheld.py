"""Clouds that nobody can use any more, in a notebook: what waits in them is ended after the cell that left them.

What a suspended process holds is invisible to the garbage collector. A function that makes a cloud, and starts a
process that uses a client of it, would leave both there for ever. Between two cells no code of the learner's runs, so
whoever still holds the cloud is an object that `gc.get_referrers` finds.

Rejected: to close a cloud when its cell runs again (a learner may have kept it in a list); to look at the references of
suspended frames (each version of Python has others).
"""

from __future__ import annotations

import gc
import sys
from _thread import get_ident
from types import ModuleType
from typing import Any, Protocol
from weakref import WeakSet

from lablib.kernel.process import Kernel, Process

SOME = 8  # clouds with something that waits, until it is worth the search: that takes some tenths of a second


class Holder(Protocol):
    """What a learner holds of a kernel."""

    kernel: Kernel


_known: WeakSet[Any] = WeakSet()
_limit = SOME
_listening: list[Any] = []  # the events of the notebook's cells


def watch(holder: Holder) -> None:
    """Look after each cell of a notebook whether anybody still has this. Nothing happens outside of notebooks."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    if not shell:
        return
    _known.add(holder)
    if shell.events not in _listening:
        _listening.append(shell.events)
        shell.events.register("post_run_cell", close_unheld)


def close_unheld(_: object = None) -> None:
    """Close the kernels that wait for nobody, when there are so many that it matters."""
    global _limit
    waiting = [one for one in _known if one.kernel.home.thread == get_ident() and _waits(one.kernel)]
    if len(waiting) < _limit:
        return
    left = unheld(waiting)
    for one in left:
        one.kernel.close()
    _limit = len(waiting) - len(left) + SOME


def _waits(kernel: Kernel) -> bool:
    return any(process.alive for process in kernel.processes.values())


def unheld(holders: list[Any]) -> list[Any]:
    """Those that only the processes of their own kernels hold. For an instant at which no code of the learner's runs:
    what a running function holds is not found.
    """
    bit_of = {holder.kernel: 1 << n for n, holder in enumerate(holders)}
    reach = {id(holder): bit_of[holder.kernel] for holder in holders}  # which of them can be reached from an object
    held, front, kept = 0, holders, [holders]  # `kept`: so that no id is used again
    mark = object()  # begins the arguments of our own calls: since Python 3.13 these are found, too
    while front:
        here = {id(one): reach[id(one)] for one in front}
        found = gc.get_referrers(mark, *front)
        kept.append(found)
        own, front = {id(one) for one in (*kept, kept, front, holders)}, []
        for one in found:
            if id(one) in own or (isinstance(one, tuple) and one and one[0] is mark):
                continue
            bits = 0
            for part in gc.get_referents(one):
                bits |= here.get(id(part), 0)
            if isinstance(one, Process):
                held |= bits & ~bit_of.get(one.kernel, 0)
            elif _is_a_name_space(one):
                held |= bits
            elif bits & ~reach.get(id(one), 0):
                reach[id(one)] = reach.get(id(one), 0) | bits
                front.append(one)
    return [holder for holder in holders if not held & bit_of[holder.kernel]]


def _is_a_name_space(one: Any) -> bool:
    """A module or its names: what they hold can be used."""
    if isinstance(one, dict):
        module = sys.modules.get(one.get("__name__", "")) if isinstance(one.get("__name__"), str) else None
        return module is not None and vars(module) is one
    return isinstance(one, ModuleType)
