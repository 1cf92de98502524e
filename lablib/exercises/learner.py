"""The learner's function, seen from outside: is it written yet, can it be called, what does it remember, what went
wrong in it.
"""

from __future__ import annotations

import contextlib
import copy
import dis
import functools
import hashlib
import inspect
import linecache
import numbers
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from types import CellType, CodeType, FunctionType, MethodType, SimpleNamespace, TracebackType, new_class
from typing import Any

from lablib.exercises.case import cut
from lablib.kernel import Lock

_EMPTY = frozenset({"RESUME", "NOP", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"})
_CONTAINERS = (set, dict, list, deque, bytearray)
_SCALARS = (int, float, str, bytes, tuple, frozenset, type(None))
_WRAPPERS = (FunctionType, functools._lru_cache_wrapper)
_MANY = 10_000  # a container with more entries is data, not memory; it is not copied


def _function(fn: Any) -> Any:
    """The plain function behind a partial object, a bound method, a wrapper or a callable object; None when there is
    none.
    """
    while isinstance(fn, functools.partial):
        fn = fn.func
    if not isinstance(fn, (type, FunctionType, MethodType)):
        fn = inspect.getattr_static(type(fn), "__call__", None)
    fn = inspect.unwrap(getattr(fn, "__func__", fn)) if fn else None
    return fn if isinstance(fn, FunctionType) else None


def is_placeholder(fn: Any) -> bool:
    """Is the body only a docstring, `...`, `pass` or `return`? The compiled code decides, not the text."""
    function = _function(fn)
    if function is None or inspect.isgeneratorfunction(function):
        return False
    steps = list(dis.get_instructions(function))
    return all(
        s.opname in _EMPTY and (s.opname not in ("LOAD_CONST", "RETURN_CONST") or s.argval is None) for s in steps
    )


def why_not_callable(fn: Any, signature: str) -> str | None:
    """One line that says why `fn` cannot be checked as a function with that signature; None when it can."""
    name = signature.partition("(")[0]
    if not callable(fn):
        what = "nothing (None)" if fn is None else f"{type(fn).__name__} {cut(fn)}"
        return f"You passed {what}. Pass the function itself, without calling it: .check({name})"
    if inspect.iscoroutinefunction(fn):
        return f"Your function is async. Write an ordinary one: def {signature}"
    if inspect.isgeneratorfunction(_function(fn)):
        return "Your function contains yield, so a call of it does not run its body. Write it without yield."
    try:
        own = inspect.signature(fn)
    except (ValueError, TypeError):
        return None  # some builtins have none; the call itself will tell
    try:
        own.bind(*inspect.signature(_stub(signature)).parameters)
    except TypeError:
        return f"Your function takes {own}. It is called with {_stub_text(signature)}, so write: def {signature}"
    return None


def _stub(signature: str) -> Callable[..., Any]:
    names = re.findall(r"\w+", signature.partition("(")[2])
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]

    def stub() -> None: ...

    stub.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return stub


def _stub_text(signature: str) -> str:
    return "(" + signature.partition("(")[2]


# ---- what it is made of ----------------------------------------------------------------------------------------------


def _parts(function: Any, seen: list[Any]) -> list[Any]:
    """The function and the helpers of the same module that it reaches, itself first."""
    if function is None or function in seen:
        return seen
    seen.append(function)
    variables = function.__globals__
    helpers = [variables.get(name) for name in sorted(set(_names(function.__code__)))]
    for helper in [*helpers, *(cell.cell_contents for _, cell in _cells(function))]:
        if isinstance(helper, _WRAPPERS):
            helper = inspect.unwrap(helper)
        if isinstance(helper, FunctionType) and helper.__globals__ is variables:
            _parts(helper, seen)
    return seen


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _cells(function: Any) -> Iterator[tuple[str, Any]]:
    """The variables of an enclosing function that have a value."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with contextlib.suppress(ValueError):
            cell.cell_contents  # noqa: B018
            yield name, cell


def fingerprint(fn: Any) -> str:
    """A text that is the same for the same code, wherever its lines stand; "" when there is no code to see."""
    parts = _parts(_function(fn), [])
    return hashlib.sha256(repr([_essence(p.__code__) for p in parts]).encode()).hexdigest()[:16] if parts else ""


def _essence(code: CodeType) -> Any:
    constants = [_essence(c) if isinstance(c, CodeType) else _plain(c) for c in code.co_consts]
    return code.co_code.hex(), constants, code.co_names, code.co_varnames


def _plain(constant: Any) -> Any:
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)


# ---- what it remembers -----------------------------------------------------------------------------------------------


class Memory:
    """What a function keeps between two calls: global variables it names, variables of an enclosing function, defaults,
    and attributes of its own. A program that crashes loses them, so they are put back when a process of it starts.
    """

    def __init__(self, fn: Any) -> None:
        self._fn, self._places = fn, _all_places(fn)
        self._saved = [_copy(get()) for _, get, _ in self._places]
        self._programs: list[tuple[list[Place], list[Any]]] = []  # of each program: its places, and what was in them
        self.changed: list[str] = []  # the names of what differed from its beginning, and of locks and their kin

    def program(self) -> Any:
        """The function as one program on a machine of its own has it, with an empty memory: whatever it changes, no
        other program sees.
        """
        function = _function(self._fn)
        if function is None:
            return self._fn
        fn = _Own(function.__globals__, len(self._programs)).of(self._fn)
        places = _all_places(fn)
        self._programs.append((places, [_copy(get()) for _, get, _ in places]))
        self._note(name for part in _parts(_function(fn), []) for name, value in _named(part) if _holds_back(value))
        return fn

    def forget(self) -> None:
        """Put everything back as it was at the beginning, and note what had changed."""
        for (name, get, put), saved in zip(self._places, self._saved):
            value = get()
            if not _same(value, saved):
                self._note([name])
                put(_refill(value, saved))
        for places, before in self._programs:
            self._note(name for (name, get, _), saved in zip(places, before) if not _same(get(), saved))
        self._programs.clear()

    def _note(self, names: Iterable[str]) -> None:
        self.changed += [name for name in dict.fromkeys(names) if name not in self.changed]


Place = tuple[str, Callable[[], Any], Callable[[Any], None]]


def _all_places(fn: Any) -> list[Place]:
    return [place for part in _parts(_function(fn), []) for place in _places(part)]


def _places(function: Any) -> Iterator[Place]:
    """Where this function can keep something, with how to read and to write it."""
    variables, code = function.__globals__, function.__code__
    for name in sorted(set(_names(code)) & variables.keys()):
        yield from _place(name, variables.get, variables.__setitem__)
    for name, cell in _cells(function):
        yield from _place(name, functools.partial(_get_cell, cell), functools.partial(_set_cell, cell))
    values, arguments = function.__defaults__ or (), code.co_varnames[: code.co_argcount]
    defaults = {**dict(zip(arguments[len(arguments) - len(values) :], values)), **(function.__kwdefaults__ or {})}
    for name, default in defaults.items():
        if isinstance(default, _CONTAINERS):
            yield from _place(name, functools.partial(_the, default), _the)  # it is filled again where it is
    owners = [("", function), *((f"{name}.", value) for name, value in _named(function) if _data(value, variables))]
    for prefix, owner in owners:
        read, write = functools.partial(getattr, owner), functools.partial(setattr, owner)
        for name in _data(owner, variables) or vars(function):
            yield from ((prefix + found, get, put) for found, get, put in _place(name, read, write))


def _data(value: Any, home: dict[str, Any]) -> list[str]:
    """The class variables of a class that the learner wrote; none for anything else."""
    if not isinstance(value, type) or value.__module__ != home.get("__name__"):
        return []
    return [name for name, x in vars(value).items() if isinstance(x, (*_CONTAINERS, *_SCALARS)) and name[:2] != "__"]


def _named(function: Any) -> Iterator[tuple[str, Any]]:
    """The values that a function reaches by a name."""
    yield from ((name, value) for name, value in function.__globals__.items() if name in set(_names(function.__code__)))
    yield from ((name, cell.cell_contents) for name, cell in _cells(function))


def _place(name: str, read: Callable[[str], Any], write: Callable[[str, Any], None]) -> Iterator[Place]:
    value = read(name)
    if (isinstance(value, _CONTAINERS) and len(value) <= _MANY) or isinstance(value, _SCALARS):
        yield name, functools.partial(read, name), functools.partial(write, name)


def _the(value: Any, *_: Any) -> Any:
    return value


def _get_cell(cell: Any, _: str) -> Any:
    return cell.cell_contents


def _set_cell(cell: Any, _: str, value: Any) -> None:
    cell.cell_contents = value


def _copy(value: Any) -> Any:
    if not isinstance(value, _CONTAINERS):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # it holds something that cannot be copied, such as a client
        return copy.copy(value)


def _same(value: Any, saved: Any) -> bool:
    try:
        return value is saved or (type(value) is type(saved) and bool(value == saved))
    except Exception:  # entries whose == has an opinion of its own, such as arrays
        return False


def _refill(value: Any, saved: Any) -> Any:
    """`saved`, in the same object where it is a container: others may hold it."""
    if type(value) is not type(saved) or not isinstance(value, _CONTAINERS):
        return _copy(saved)
    value.clear()
    (value.update if isinstance(value, (set, dict)) else value.extend)(saved)
    return value


# ---- a memory of its own ---------------------------------------------------------------------------------------------


class _Own:
    """Copies that share with no other program what can change: functions of the learner's module with their global
    variables, containers, locks and their kin, instances. All else, such as modules and clients, stays the same object.
    Their `hash` gives numbers of the `number`-th program.
    """

    def __init__(self, home: dict[str, Any], number: int) -> None:
        self._home, self._mine = home, {"hash": functools.partial(_hash, number), **home}
        self._memo: dict[int, Any] = {}  # by the identity of what was copied, as copy.deepcopy has it

    def of(self, value: Any) -> Any:
        """The copy of a value; itself where nothing of it can change."""
        if id(value) in self._memo:
            return self._memo[id(value)]
        if self._is_mine(value) or self._wraps_mine(value):
            return self._function(value)
        if isinstance(value, functools.partial):
            keywords = {name: self.of(x) for name, x in value.keywords.items()}
            return functools.partial(self.of(value.func), *map(self.of, value.args), **keywords)
        if isinstance(value, MethodType):
            return MethodType(self.of(value.__func__), self.of(value.__self__))
        if isinstance(value, functools._lru_cache_wrapper):
            return functools.lru_cache(**value.cache_parameters())(self.of(value.__wrapped__))
        if _data(value, self._home):
            return self._class(value)
        if not self._can_change(value):
            return value
        self._prepare(value)
        try:
            return self._memo.setdefault(id(value), copy.deepcopy(value, self._memo))
        except Exception:  # it holds something that cannot be copied, such as a client
            return value

    def _is_mine(self, value: Any) -> bool:
        return isinstance(value, FunctionType) and value.__globals__ is self._home

    def _wraps_mine(self, value: Any) -> bool:
        """Is it a function of another module around one of the learner's, such as `contextlib.contextmanager` makes?"""
        return isinstance(value, FunctionType) and any(self._is_mine(cell.cell_contents) for _, cell in _cells(value))

    def _can_change(self, value: Any) -> bool:
        if isinstance(value, _CONTAINERS):
            return len(value) <= _MANY
        home = self._home.get("__name__")
        return isinstance(value, SimpleNamespace) or _holds_back(value) or type(value).__module__ == home

    def _prepare(self, value: Any, deep: int = 3) -> None:
        """Copy what `copy.deepcopy` cannot: the locks and functions in it."""
        if isinstance(value, Lock):
            self._memo.setdefault(id(value), Lock())
        elif self._is_mine(value):
            self.of(value)
        elif deep and isinstance(value, (dict, list, tuple)) and len(value) <= _MANY:
            for inner in value.values() if isinstance(value, dict) else value:
                self._prepare(inner, deep - 1)
        elif deep and self._can_change(value):
            self._prepare(getattr(value, "__dict__", {}), deep)

    def _class(self, kind: type) -> type:
        """A class of the same name below this one, with class variables and methods of its own. One that allows none
        below it, such as an Enum, stays as it is.
        """
        try:
            made = new_class(
                kind.__name__, (kind,), {}, lambda body: body.update(__module__=kind.__module__, __slots__=())
            )
        except Exception:  # whatever its metaclass or its __init_subclass__ says
            return kind
        self._memo[id(kind)] = made
        for name in _data(kind, self._home):
            setattr(made, name, self.of(getattr(kind, name)))
        for name, value in vars(kind).items():
            if self._is_mine(value):
                setattr(made, name, self.of(value))
            elif isinstance(value, (staticmethod, classmethod)) and self._is_mine(value.__func__):
                setattr(made, name, type(value)(self.of(value.__func__)))
        return made

    def _function(self, function: FunctionType) -> FunctionType:
        cells = function.__closure__ or ()
        own = [self._memo.setdefault(id(cell), CellType()) for cell in cells]
        mine = self._is_mine(function)
        variables = self._mine if mine else function.__globals__
        made = FunctionType(function.__code__, variables, function.__name__, None, tuple(own))
        self._memo[id(function)] = made
        for attribute in functools.WRAPPER_ASSIGNMENTS:
            setattr(made, attribute, getattr(function, attribute))
        for cell, new in zip(cells, own):
            with contextlib.suppress(ValueError):  # it has no value yet
                new.cell_contents = self.of(cell.cell_contents)
        for name in set(_names(function.__code__)) & self._home.keys() if mine else ():
            self._mine[name] = self.of(self._home[name])
        made.__defaults__ = tuple(map(self.of, function.__defaults__ or ())) or None
        made.__kwdefaults__ = {name: self.of(x) for name, x in (function.__kwdefaults__ or {}).items()} or None
        made.__dict__.update({name: self.of(x) for name, x in vars(function).items()})
        return made


def _hash(program: int, value: Any) -> int:
    """`hash` in a program: what is made from a text is another number in each (Python's documentation of __hash__)."""
    plain = hash(value)
    return plain if value is None or isinstance(value, numbers.Number) else hash((program, plain))


def uses(fn: Any, name: str) -> bool:
    """Does the function, or a helper of it, use this name?"""
    return any(name in _names(part.__code__) for part in _parts(_function(fn), []))


def _holds_back(value: Any) -> bool:
    """Is it a lock, or another thing with which the threads of one program wait for each other?"""
    kin = type(value).__module__ in ("threading", "queue") and not hasattr(value, "run")
    return isinstance(value, Lock) or kin


# ---- what went wrong in it -------------------------------------------------------------------------------------------


def as_number(value: object) -> int | float | None:
    """A number that a learner's function returned, as Python's own: those of numpy and decimal are numbers, too. None
    for everything else; a truth value is no number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        return None
    return int(value) if isinstance(value, numbers.Integral) else float(value)


def describe_error(error: BaseException, fn: Any) -> str:
    """What the function raised, with the learner's own line."""
    text = str(error)
    name = type(error).__name__
    first = f"Your function raised {name}: {text}" if text else f"Your function raised {name}."
    line = learner_line(error.__traceback__, fn)
    return f"{first}\n  {line}" if line else first


def learner_line(traceback: TracebackType | None, fn: Any) -> str:
    """The learner's innermost line in a traceback, its number in the cell and its text; "" when there is none."""
    function = _function(fn)
    home = function.__code__.co_filename if function else ""
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == home:
            found = home, traceback.tb_lineno
        traceback = traceback.tb_next
    if found is None:
        return ""
    text = linecache.getline(*found).strip()
    return f"line {found[1]}: {text}" if text else f"line {found[1]}"
