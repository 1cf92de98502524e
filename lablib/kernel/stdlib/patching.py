"""Replacing names of the standard library by ones that ask who calls.

The rule: the choice between real and virtual is made at each call or construction, by `current_process`. So threads of
the host (the Jupyter kernel has several) keep their real time even while a run lasts.

What is replaced, in order of preference: a method of a class of the standard library, which survives every
`from x import y`; a name that the standard library's own Python code looks up, so that what is built on it comes
along; a name in a module, in which case one scan rebinds what other modules had imported before us. A module that is
not imported yet is patched when it is.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import MethodType, ModuleType
from typing import Any

from lablib.kernel.stacks import current_process

Patch = Callable[[ModuleType], None]

_replaced: dict[int, tuple[object, object]] = {}  # id -> (old, new); the old ones are kept, so ids stay their own
_waiting: dict[str, Patch] = {}  # by the name of a module that is not imported yet


def replace(owner: object, name: str, new: object) -> None:
    """Set an attribute of a module or class, and remember the old one for `rebind`. A platform may lack the name."""
    old = getattr(owner, name, None)
    if old is not None:
        _replaced[id(old)] = (old, new)
        setattr(owner, name, new)


def dispatch(real: Callable[..., Any], virtual: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is `virtual(process, ...)` inside a process, and `real(...)` elsewhere.

    It is a bound method: like the C functions that it replaces, it is not bound again when a class has it as an
    attribute (`logging.Formatter.converter = time.localtime`).
    """

    def either(_: object, /, *args: Any, **kwargs: Any) -> Any:
        process = current_process()
        return real(*args, **kwargs) if process is None else virtual(process, *args, **kwargs)

    either.__name__, either.__doc__ = getattr(real, "__name__", "either"), real.__doc__
    return MethodType(either, real)


def virtualize(owner: object, virtual: dict[str, Callable[..., Any]]) -> None:
    """Replace functions of a module by name: each is `virtual[name](process, ...)` inside a process."""
    for name, function in virtual.items():
        if hasattr(owner, name):
            replace(owner, name, dispatch(getattr(owner, name), function))


def rebind() -> None:
    """Replace what modules took with `from x import y` before us, so that the order of imports does not matter.

    Default arguments and attributes of classes are out of its reach.
    """
    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None)
        if not isinstance(space, dict):
            continue
        # _thread and importlib: a virtual identity there would turn an import within an import into a deadlock.
        if str(space.get("__name__")).startswith(("lablib.", "_thread", "importlib", "_frozen_importlib")):
            continue
        for name, value in list(space.items()):
            known = _replaced.get(id(value))
            if known is not None and known[0] is value:
                space[name] = known[1]


# ---- modules that come later ---------------------------------------------------------------------------------------


def when_imported(name: str, patch: Patch) -> None:
    """Call `patch(module)` now if that module is imported, else as soon as it is."""
    if name in sys.modules:
        patch(sys.modules[name])
    else:
        _waiting[name] = patch


class _Loader(importlib.abc.Loader):
    """Loads as the real loader does; then patches the module if somebody waits for it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        process = current_process()
        if process is not None:
            process.importing += 1
        try:
            self._loader.exec_module(module)
        finally:
            if process is not None:
                process.importing -= 1
        patch = _waiting.pop(module.__name__, None)
        if patch is not None:
            patch(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Puts our loader before the real one: for modules that wait to be patched, and for all that a process imports."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _waiting and current_process() is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


def watch_imports() -> None:
    """From now on `when_imported` hears of imports."""
    sys.meta_path.insert(0, _Finder())
