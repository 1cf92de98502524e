"""`messaging-lab run program.py`: somebody's own program, unmodified, in a cloud of its own.

The program is a process named after its file; it begins with `__name__ == "__main__"`, and ends with its last thread.
Its `assert_that(trace)`, if it has one, is called with the run's trace when the run is over.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import traceback
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from lablib.aws.quotas import Edition
from lablib.aws.service import NotSimulated
from lablib.cli.copies import Problem
from lablib.cloud import Cloud
from lablib.gateway import Fault, FaultKind
from lablib.kernel import Process, Trace
from lablib.kernel.interrupt import RealTimeExceeded
from lablib.kernel.process import Stuck

UNTIL = 3600.0  # virtual seconds
PATIENCE = 20.0  # real seconds that a program may take without waiting
AT_THE_DOOR: tuple[FaultKind, ...] = ("throttle", "lost_request", "lost_answer", "partial")
FAULTS = ("crash", "outage", *AT_THE_DOOR)
_SHARE = 0.05  # of the calls, for each fault at the front door
_RESTART = 1.0  # seconds after a crash
_QUIET = 60.0  # seconds without a row of the trace, after which a deadlock is thought of
_SLICE = 10.0  # virtual seconds at a time
NEVER = float("inf")
_OUTAGES = 240.0  # an hour, for each server of a queue


class Exited(Exception):
    """The program asked the operating system to end it at once."""


@dataclass(eq=False)
class Outcome:
    """What came of one run of a program. `wrong`: what went wrong, a line each; `notes`: what is no mistake but should
    be known. It is a case that a page can show."""

    title: str
    seed: int
    cloud: Cloud
    until: float = 0.0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    subjects: tuple[str, ...] = ()
    calls: tuple[int, ...] = ()
    unit: str = "message"

    @property
    def trace(self) -> Trace:
        """All that happened."""
        return self.cloud.trace

    @property
    def problem(self) -> str:
        """The first thing that went wrong, for the title of a page."""
        return self.wrong[0] if self.wrong else f"seed {self.seed}"


class Program:
    """A program in a file, that can run again and again. Raises Problem when it cannot be read."""

    def __init__(self, path: Path, arguments: list[str] | None = None) -> None:
        self.path = path
        self.name = path.stem
        self._arguments = [str(path), *(arguments or [])]
        self._code = _read(path)

    def run(
        self, seed: int = 0, until: float = UNTIL, limits: Edition = "2023", faults: tuple[str, ...] = ()
    ) -> Outcome:
        """Run it for at most `until` virtual seconds, with chance from `seed` and these faults."""
        length = self.run(seed, until, limits).until if "crash" in faults else until
        assume = {"sqs.outages_per_hour": _OUTAGES} if "outage" in faults else {}
        cloud = Cloud(seed, limits=limits, assume=assume)
        cloud.faults.add(*(Fault(kind, probability=_SHARE) for kind in AT_THE_DOOR if kind in faults))
        outcome = Outcome(self.path.name, seed, cloud)
        with self._as_main() as module, cloud:
            runner = _Runner(self, cloud, outcome, module)
            if "crash" in faults:
                runner.crash_at(cloud.chance.stream("crashes").uniform(0.0, length))
            runner.run(until)
            outcome.until = cloud.now
            for row in cloud.trace.where(kind="ThreadFailed"):
                outcome.wrong.append(f"{self.path.name}: the thread {row.actor} ended with {row.detail}")
            runner.look_for_a_deadlock()
            if not outcome.wrong:
                self._judge(module, outcome)
        return outcome

    def begin(self, module: ModuleType) -> None:
        """The program itself, from its first line on."""
        self._afresh()
        module.__dict__.clear()
        module.__dict__.update({"__name__": "__main__", "__file__": str(self.path), "__builtins__": __builtins__})
        exec(self._code, module.__dict__)  # the learner's own program, on the learner's own machine

    def place(self, error: BaseException) -> str:
        """Where in the program's own files an error arose, and what it is: one line."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self._owns(frame.filename)]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else f"{self.path.name}: "
        text = " ".join(str(error).split())
        return f"{where}{type(error).__name__}{': ' if text else ''}{text}"

    def _owns(self, filename: str) -> bool:
        return Path(filename).is_relative_to(self.path.parent) and "site-packages" not in filename

    def _judge(self, module: ModuleType, outcome: Outcome) -> None:
        """Ask the program's own `assert_that(trace)`."""
        judge = getattr(module, "assert_that", None)
        if not callable(judge):
            return
        try:
            if judge(outcome.trace) is False:
                outcome.wrong.append(f"{self.path.name}: assert_that(trace) says False")
        except Exception as error:
            outcome.wrong.append(self.place(error))

    @contextlib.contextmanager
    def _as_main(self) -> Iterator[ModuleType]:
        """As Python starts a program: its arguments, its folder first among those of modules, itself as `__main__`."""
        module = ModuleType("__main__")
        kept = sys.argv, sys.path[:], sys.modules["__main__"], os._exit
        self._host = _Host()
        sys.argv, sys.path, sys.modules["__main__"] = list(self._arguments), [str(self.path.parent), *sys.path], module
        os._exit = _exit  # type: ignore[assignment]
        try:
            yield module
        finally:
            sys.argv, sys.path[:], sys.modules["__main__"], os._exit = kept
            self._afresh()

    def _afresh(self) -> None:
        """What it left behind is gone: what begins after a crash, or with another seed, finds nothing of it. Its own
        modules are forgotten, and its streams, folder, environment and loggers are those of the host."""
        for name in set(sys.modules) - self._host.modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and self._owns(file) and name.partition(".")[0] != "lablib":
                del sys.modules[name]
        self._host.restore()


class _Host:
    """What a program finds, and can change, in the interpreter that runs it."""

    def __init__(self) -> None:
        self.modules = set(sys.modules)
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._folder = os.getcwd()
        self._environment = dict(os.environ)
        self._loggers = {logger: (logger.level, logger.handlers[:]) for logger in _loggers()}

    def restore(self) -> None:
        """Have it as it was."""
        sys.stdin, sys.stdout, sys.stderr = self._streams
        os.chdir(self._folder)
        if os.environ != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        for logger in _loggers():
            level, logger.handlers[:] = self._loggers.get(logger, (logging.NOTSET, []))
            if logger.level != level:
                logger.setLevel(level)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]


def _exit(code: int = 0) -> None:
    raise Exited(f"os._exit({code})")


def _read(path: Path) -> CodeType:
    if not path.is_file():
        raise Problem(f"there is no program {path}")
    try:
        return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Problem(f"{path.name}:{error.lineno}: {error.msg}") from None
    except ValueError as error:
        raise Problem(f"{path.name}: {error}") from None


class _Runner:
    """One run of a program in a cloud."""

    def __init__(self, program: Program, cloud: Cloud, outcome: Outcome, module: ModuleType) -> None:
        self._program = program
        self._cloud = cloud
        self._outcome = outcome
        self._module = module
        self._crash = self._restart = NEVER
        self._main = self._start()

    def _start(self) -> Process:
        return self._cloud.spawn(self._program.begin, self._module, name=self._program.name)

    def crash_at(self, time: float) -> None:
        """Let the program crash then, and begin anew a second later, as a supervisor would have it."""
        self._crash, self._restart = time, time + _RESTART

    def _on_time(self) -> None:
        """On the main line: what was to happen at an instant that has come."""
        cloud = self._cloud
        if cloud.now >= self._crash:
            self._crash = NEVER
            if not self._main.alive:
                self._restart = NEVER
                return
            cloud.trace.add("Crashed", actor=self._program.name)
            self._outcome.notes.append(f"crashed at {cloud.now:.3f} s, restarted {_RESTART:g} s later")
            cloud.kill(self._main)
        elif cloud.now >= self._restart and self._crash == NEVER:
            self._restart = NEVER
            self._main = self._start()

    def run(self, until: float) -> None:
        """Until the program and its threads have ended, or time is up."""
        kernel = self._cloud.kernel
        while self._cloud.now < until and not self._is_over():
            try:
                with kernel.real_time_limit(PATIENCE):
                    stop = min(until, self._crash if self._crash > self._cloud.now else self._restart)
                    kernel.wait(self._main.done if self._main.alive else None, min(stop - self._cloud.now, _SLICE))
                self._on_time()
            except Stuck as stuck:
                self._outcome.wrong.append(f"{self._program.path.name}: {stuck}")
                return
            except RealTimeExceeded as error:
                busy = f"never ends: {PATIENCE:g} real seconds without waiting for anything"
                self._outcome.wrong.append(f"{self._program.place(error).rpartition(': ')[0]}: {busy}")
                return
            except SystemExit as ended:
                self._exited(ended.code)
            except NotSimulated as error:
                self._outcome.wrong.append(f"{self._program.place(error).partition(': ')[0]}: {error}")
            except Exception as error:
                self._outcome.wrong.append(self._program.place(error))
        if not self._is_over():
            alive = ", ".join(sorted(name for name, process in self._cloud.processes.items() if process.alive))
            self._outcome.notes.append(f"still running after {until:g} virtual seconds (--until): {alive}")

    def look_for_a_deadlock(self) -> None:
        """Is nothing left to happen, while programs wait for each other? Asked when the run is over: what happens next,
        if anything does, is no part of it."""
        cloud, trace = self._cloud, self._cloud.trace
        quiet = cloud.now - (trace[len(trace) - 1].time if len(trace) else 0.0)
        if self._main.alive and quiet > _QUIET and not cloud.step():
            waiting = ", ".join(sorted(name for name, process in cloud.processes.items() if process.alive))
            self._outcome.wrong.append(f"{self._program.path.name}: never ends: {waiting} wait for each other")

    def _is_over(self) -> bool:
        return not self._main.alive and self._restart == NEVER

    def _exited(self, code: Any) -> None:
        if code not in (None, 0):
            self._outcome.wrong.append(f"{self._program.path.name}: exits with {code!r}")


# ---- what the command prints -----------------------------------------------------------------------------------------


def command(args: Namespace, rest: list[str]) -> int:
    """`messaging-lab run program.py`"""
    faults = _faults(args.faults)
    until = UNTIL if args.until is None else args.until
    if not 0 < until < float("inf"):
        raise Problem(f"--until={until}: must be virtual seconds, more than 0")
    program = Program(Path(args.lab).resolve(), rest[1:] if rest[:1] == ["--"] else rest)
    if args.seeds:
        return _search(program, args, until, faults)
    outcome = program.run(args.seed, until, args.limits, faults)
    print(report(program, outcome, args.limits))
    if args.trace:
        print(f"\n{table(outcome.trace)}")
    if args.explain:
        print(f"\n{_story(outcome.trace, args.explain)}")
    if args.page:
        print(f"\nThe page: {_page(outcome, args.page)}")
    for line in outcome.wrong:
        print(f"messaging-lab: {line}", file=sys.stderr)
    return 1 if outcome.wrong else 0


def _faults(text: str | None) -> tuple[str, ...]:
    faults = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    for fault in faults:
        if fault not in FAULTS:
            raise Problem(f"--faults has no {fault!r}; there are {', '.join(FAULTS)}")
    return faults


def _search(program: Program, args: Namespace, until: float, faults: tuple[str, ...]) -> int:
    """Look for the smallest seed with which something goes wrong."""
    for seed in range(args.seed, args.seed + args.seeds):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            outcome = program.run(seed, until, args.limits, faults)
        if outcome.wrong:
            print(f"seed {seed}: {outcome.wrong[0]}")
            how = f" --faults {args.faults}" if faults else ""
            print(f"to look at it: messaging-lab run {args.lab} --seed {seed}{how} --page failing.html")
            return 1
    print(f"nothing went wrong with {args.seeds} seeds, from {args.seed} on")
    return 0


def report(program: Program, outcome: Outcome, limits: str) -> str:
    """Its processes, what they did and cost, what was left, what went wrong."""
    from lablib.measures import Measures
    from lablib.measures.results import of_a_program

    trace, cloud = outcome.trace, outcome.cloud
    measures = Measures(trace, outcome.until, cloud.quotas)
    rows: list[tuple[str, str]] = []
    calls: dict[str, Counter[str]] = {}
    kinds = {trace.name(code) for code in trace.api_kinds}
    for row in trace:
        if row.kind in kinds:
            calls.setdefault(row.actor, Counter())[row.kind] += 1
    for actor, counter in sorted(calls.items()):
        rows.append((actor, ", ".join(f"{name} {count}" for name, count in counter.most_common())))
    rows += [(number.label, number.text) for number in of_a_program(measures)]
    rows += [("left", text) for text in _left(outcome)]
    rows += [("note", text) for text in outcome.notes]
    rows += [("went wrong", text) for text in outcome.wrong or ["nothing"]]
    rows.append(("digest", f"{trace.digest()[:16]} (the same for the same seed and options)"))
    wide = max(len(label) for label, _ in rows)
    head = f"{program.path.name} (seed {outcome.seed}, limits {limits}, {outcome.until:g} virtual seconds)"
    return f"{head}\n\n" + "\n".join(f"{label:<{wide}}  {text}" for label, text in rows)


def _left(outcome: Outcome) -> list[str]:
    """What lies in the queues at the end."""
    counts = [
        (name, queue.counts()) for service in outcome.cloud.everywhere("sqs") for name, queue in service.queues.items()
    ]
    found = [
        f"{name}: {n.visible} available, {n.in_flight} in flight, {n.delayed} delayed" for name, n in counts if any(n)
    ]
    return found or ["nothing in the queues"]


def table(trace: Trace) -> str:
    """The trace, a row a line."""
    lines = [f"{'time':>10}  {'what':<22}{'where':<22}{'about':<38}{'who':<24}detail"]
    for row in trace:
        detail = "" if row.detail is None else str(row.detail).replace("\n", " ")
        lines.append(
            f"{row.time:10.3f}  {row.kind:<22}{row.resource:<22}{row.subject:<38}{row.actor:<24}{detail}".rstrip()
        )
    return "\n".join(lines)


def _story(trace: Trace, subject: str) -> str:
    """What happened to one message or request, given the first letters of its id. Raises Problem."""
    subjects = list(dict.fromkeys(row.subject for row in trace if row.subject))
    found = [one for one in subjects if one.startswith(subject)]
    if len(found) != 1 and subject not in subjects:
        few = ", ".join((found or subjects)[:3]) or "none"
        raise Problem(f"{'several subjects begin' if found else 'no subject begins'} with {subject!r}; such as {few}")
    return trace.explain(subject if subject in subjects else found[0])


def _page(outcome: Outcome, path: str) -> Path:
    from lablib.workbench import to_html
    from lablib.workbench.failing import FailingCase

    return to_html(FailingCase(outcome).run(outcome.seed, until=outcome.until), path)
