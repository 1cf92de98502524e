"""What a job is made of: streams, keys, windows, sinks. A job is an ordinary function `job(env)`.

    def job(env):
        rides = env.from_stream("turnstiles").event_time(lambda ride: ride["time"], out_of_order=10, idle_after=30)
        minutes = rides.key_by(lambda ride: ride["lift"]).tumbling(60, lateness=30)
        minutes.count().to_stream("counts")
        minutes.late.to(print)

The words and their meaning are those of Flink's DataStream API (Flink documentation, "Generating Watermarks",
"Windows", "Working with State"). A node holds no state of its own: the state of all of a job is one dictionary, of
which a checkpoint is a copy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lablib.services.kinesisanalyticsv2.runtime import Attempt

INF = float("inf")
_SHORTEST, _LONGEST = 0.001, 1e10  # seconds of a window; Flink counts milliseconds
_LAST = 253_402_300_800.0  # the year 10000
_MOST_WINDOWS = 10_000  # of one value; ours
Fn = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Element:
    """A record on its way through a job. `time`: its event time, in seconds since 1970; `shard`: whence it came."""

    value: Any
    time: float
    shard: str
    key: Any = None


class Environment:
    """What a job function gets: here its streams begin. `properties`: the application's EnvironmentProperties, a
    dictionary for each group."""

    def __init__(self, properties: dict[str, dict[str, str]] | None = None) -> None:
        self.properties = properties or {}
        self.nodes: list[Node] = []
        self.sources: list[Source] = []
        self.sinks: list[Sink] = []

    def from_stream(self, stream: str, start: str = "LATEST", parse: Fn = json.loads) -> Stream:
        """The records of a Kinesis stream, given by its name or ARN. `start`: "LATEST" or "TRIM_HORIZON", for an
        application that has nothing to restore. `parse` makes a value of a record's bytes; what it raises is a failure
        of the job. An element's time is when Kinesis got it, until `event_time` says better."""
        if start not in ("LATEST", "TRIM_HORIZON"):
            raise ValueError(f'start={start!r}: must be "LATEST" or "TRIM_HORIZON"')
        source = Source(self, stream, start, parse)
        self.sources.append(source)
        return Stream(source)


class Node:
    """An operator. `push` takes an element, `advance` a watermark: no element older than it is expected any more."""

    def __init__(self, env: Environment, parent: Node | None) -> None:
        self.env, self.parent = env, parent
        self.id = len(env.nodes)
        self.children: list[Node] = []
        env.nodes.append(self)
        if parent:
            parent.children.append(self)

    def emit(self, run: Attempt, element: Element) -> None:
        """Hand an element to all that follow."""
        for child in self.children:
            child.push(run, element)

    def push(self, run: Attempt, element: Element) -> None:
        self.emit(run, element)

    def advance(self, run: Attempt, watermark: float) -> None:
        for child in self.children:
            child.advance(run, watermark)

    def state(self, run: Attempt) -> dict[Any, Any]:
        """This operator's part of the job's state."""
        return run.state.setdefault(self.id, {})


class Source(Node):
    """The records of a Kinesis stream."""

    def __init__(self, env: Environment, stream: str, start: str, parse: Fn) -> None:
        super().__init__(env, None)
        self.stream, self.start, self.parse = stream, start, parse


class _Each(Node):
    """Calls `fn(run, element)`, which gives the values that go on."""

    def __init__(self, env: Environment, parent: Node, fn: Callable[[Attempt, Element], Iterable[Any]]) -> None:
        super().__init__(env, parent)
        self._fn = fn

    def push(self, run: Attempt, element: Element) -> None:
        for value in self._fn(run, element):
            self.emit(run, Element(value, element.time, element.shard, element.key))


class _EventTime(Node):
    """Gives elements their event times, and tells the watermark: the smallest of all shards that are not idle."""

    def __init__(self, env: Environment, parent: Node, time_of: Fn, out_of_order: float, idle_after: float) -> None:
        super().__init__(env, parent)
        self._time_of, self._out_of_order, self._idle_after = time_of, out_of_order, idle_after
        while parent.parent is not None:
            parent = parent.parent
        assert isinstance(parent, Source)
        self._source = parent

    def push(self, run: Attempt, element: Element) -> None:
        time = seconds_of(self._time_of(element.value))
        newest = self.state(run).setdefault("newest", {})
        newest[element.shard] = max(time, newest.get(element.shard, -INF))
        self.emit(run, Element(element.value, time, element.shard, element.key))

    def advance(self, run: Attempt, watermark: float) -> None:
        """Called after each read of a shard, as Flink does every 200 ms."""
        state = self.state(run)
        newest = state.get("newest", {})
        waited_for = [
            newest.get(shard, -INF) for shard, quiet in run.open_shards(self._source) if quiet < self._idle_after
        ]
        new = min(waited_for, default=-INF) - self._out_of_order
        if new > state.get("watermark", -INF):
            state["watermark"] = new
            super().advance(run, new)


def seconds_of(moment: Any) -> float:
    """Seconds since 1970 of a number, a date, or its text in ISO 8601. Without a time zone it is UTC."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        raise TypeError(f"event time {moment!r}: must be seconds since 1970, a datetime, or a text in ISO 8601")
    if not abs(moment) < _LAST:
        raise ValueError(f"event time {moment!r}: must be before the year 10000")
    return float(moment)


class _Windows(Node):
    """Elements by key and window. What is late goes to `late`, and nowhere else."""

    def __init__(self, env: Environment, parent: Node, size: float, slide: float, gap: float, lateness: float) -> None:
        super().__init__(env, parent)
        self._size, self._slide, self._gap, self._lateness = size, slide, gap, lateness
        self.late = Node(env, None)
        self.late.parent = self

    def _of(self, time: float) -> list[tuple[float, float]]:
        """The windows of an element: from their start until just before their end."""
        if self._gap:
            return [(time, time + self._gap)]
        last = time // self._slide * self._slide
        count = int(-(-self._size // self._slide))
        starts = [last - n * self._slide for n in range(count)]
        return [(start, start + self._size) for start in reversed(starts) if start + self._size > time]

    def push(self, run: Attempt, element: Element) -> None:
        state = self.state(run)
        watermark, panes = state.get("watermark", -INF), state.setdefault("panes", {})
        mine = panes.setdefault(element.key, {})
        windows = [window for window in self._of(element.time) if window[1] + self._lateness > watermark]
        if self._gap:
            windows = self._merged(mine, self._of(element.time)[0], watermark)
        if not windows:
            run.tell("LateRecord", [shown_key(element.key), element.time])
            self.late.emit(run, element)
        for window in windows:
            pane = mine.setdefault(window, {"values": [], "firings": 0, "done": False})
            pane["values"].append(element.value)
            if window[1] <= watermark:  # within the allowed lateness: a corrected result, at once
                self._fire(run, element.key, window, pane)

    def _merged(self, mine: dict[Any, Any], window: tuple[float, float], watermark: float) -> list[tuple[float, float]]:
        """A session of its own, or the one that it makes of those which it touches."""
        touched = sorted(other for other in mine if other[0] < window[1] and window[0] < other[1])
        whole = (min([window[0], *(w[0] for w in touched)]), max([window[1], *(w[1] for w in touched)]))
        if whole[1] + self._lateness <= watermark:
            return []
        if touched and touched != [whole]:
            panes = [mine.pop(other) for other in touched]
            values = [value for pane in panes for value in pane["values"]]
            firings = max(pane["firings"] for pane in panes)
            mine[whole] = {"values": values, "firings": firings, "done": False}
        return [whole]

    def advance(self, run: Attempt, watermark: float) -> None:
        state = self.state(run)
        state["watermark"] = watermark
        panes = state.get("panes", {})
        due = [
            (window[1], window[0], number, key)
            for number, (key, mine) in enumerate(panes.items())
            for window, pane in mine.items()
            if window[1] <= watermark and not pane["done"]
        ]
        for end, start, _, key in sorted(due, key=lambda each: each[:3]):
            self._fire(run, key, (start, end), panes[key][start, end])
        for key in list(panes):
            for window in [w for w in panes[key] if w[1] + self._lateness <= watermark]:
                del panes[key][window]
            if not panes[key]:
                del panes[key]
        super().advance(run, watermark)

    def _fire(self, run: Attempt, key: Any, window: tuple[float, float], pane: dict[str, Any]) -> None:
        pane["firings"] += 1
        pane["done"] = True
        run.tell("WindowFired", [shown_key(key), *window, pane["firings"]])
        result = {"key": key, "start": window[0], "end": window[1], "firing": pane["firings"], "values": pane["values"]}
        self.emit(run, Element(result, window[1] - 0.001, "", key))  # the last instant that is in it


def shown_key(key: Any) -> Any:
    """A key as the trace can keep it."""
    return key if isinstance(key, (str, int, float)) else str(key)


class Sink(Node):
    """Where results go: `write(run, values)`. In an `exactly_once` sink they wait for the checkpoint that holds them; a
    `whole` one writes all of a checkpoint at once."""

    def __init__(self, env: Environment, parent: Node, write: Fn, exactly_once: bool, whole: bool = False) -> None:
        super().__init__(env, parent)
        self.write, self.exactly_once, self.whole = write, exactly_once, whole
        env.sinks.append(self)

    def push(self, run: Attempt, element: Element) -> None:
        if self.exactly_once:
            self.state(run).setdefault("open", []).append(element.value)
        else:
            run.written.setdefault(self.id, []).append(element.value)


# ---- what a job function works with ----------------------------------------------------------------------------------


class Stream:
    """A stream of values in a job."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def _each(self, fn: Callable[[Attempt, Element], Iterable[Any]]) -> Node:
        return _Each(self._node.env, self._node, fn)

    def map(self, fn: Fn) -> Stream:
        """`fn(value)` in place of each value."""
        return Stream(self._each(lambda run, element: [fn(element.value)]))

    def filter(self, fn: Fn) -> Stream:
        """The values for which `fn(value)` is true."""
        return Stream(self._each(lambda run, element: [element.value] if fn(element.value) else []))

    def flat_map(self, fn: Fn) -> Stream:
        """All that `fn(value)` gives, in place of each value."""
        return Stream(self._each(lambda run, element: fn(element.value)))

    def event_time(self, time_of: Fn, out_of_order: float = 0.0, idle_after: float = INF) -> Stream:
        """Take the time of each value from `time_of(value)`: seconds since 1970, a datetime, or a text in ISO 8601.

        The watermark of a shard is its newest time less `out_of_order` seconds, that of the stream the smallest of its
        shards. A shard without records for `idle_after` seconds is not waited for; by default all are, for ever.
        """
        _positive("out_of_order", out_of_order, zero=True)
        _positive("idle_after", idle_after)
        return Stream(_EventTime(self._node.env, self._node, time_of, out_of_order, idle_after))

    def key_by(self, key: Fn) -> KeyedStream:
        """Values with the same `key(value)` belong together."""
        node = _Keyed(self._node.env, self._node, key)
        return KeyedStream(node)

    def to(self, fn: Fn, exactly_once: bool = False) -> None:
        """Call `fn(value)` for each value: at once, and perhaps again after a failure; or `exactly_once`, when the
        checkpoint that holds it is complete."""

        def write(run: Attempt, values: list[Any]) -> None:
            for value in values:
                fn(value)

        Sink(self._node.env, self._node, write, exactly_once)

    def to_stream(self, stream: str, key: Fn | None = None) -> None:
        """Put each value into a Kinesis stream (name or ARN), as JSON, at least once; `key(value)` is its partition
        key. A window's result has its own key."""
        Sink(self._node.env, self._node, lambda run, values: run.put_into_stream(stream, values, key), False)

    def to_firehose(self, stream: str) -> None:
        """Put each value into a delivery stream, as a line of JSON, at least once."""
        Sink(self._node.env, self._node, lambda run, values: run.put_into_firehose(stream, values), False)

    def to_s3(self, bucket: str, prefix: str = "") -> None:
        """Write the values as lines of JSON, one object for each checkpoint, exactly once."""

        def write(run: Attempt, values: list[Any]) -> None:
            run.put_object(bucket, prefix, sink, values)

        sink = Sink(self._node.env, self._node, write, exactly_once=True, whole=True)


class _Keyed(Node):
    def __init__(self, env: Environment, parent: Node, key: Fn) -> None:
        super().__init__(env, parent)
        self._key = key

    def push(self, run: Attempt, element: Element) -> None:
        key = self._key(element.value)
        try:
            hash(key)
        except TypeError:
            raise TypeError(f"key {key!r}: must be hashable, such as a text, a number or a tuple") from None
        self.emit(run, Element(element.value, element.time, element.shard, key))


class KeyedStream(Stream):
    """A stream whose values have keys."""

    def process(self, fn: Fn) -> Stream:
        """All that `fn(value, state)` gives, in place of each value. `state`: a dictionary, one for each key, which is
        kept in checkpoints."""

        def call(run: Attempt, element: Element) -> Iterable[Any]:
            own = node.state(run).setdefault(element.key, {})
            return fn(element.value, own) or ()

        node = self._each(call)
        return Stream(node)

    def tumbling(self, size: float, lateness: float = 0.0) -> WindowedStream:
        """Windows of `size` seconds, one after another. A result comes when the watermark has passed a window's end; a
        value that is at most `lateness` seconds later corrects it, what comes after that is late."""
        return self._windows(_window("size", size), size, 0.0, lateness)

    def sliding(self, size: float, slide: float, lateness: float = 0.0) -> WindowedStream:
        """Windows of `size` seconds, one every `slide` seconds: a value is in several."""
        if _window("size", size) / _window("slide", slide) > _MOST_WINDOWS:
            raise ValueError(f"size={size!r}, slide={slide!r}: a value would be in more than {_MOST_WINDOWS:,} windows")
        return self._windows(size, slide, 0.0, lateness)

    def session(self, gap: float, lateness: float = 0.0) -> WindowedStream:
        """A window lasts until nothing has come for `gap` seconds."""
        return self._windows(0.0, 1.0, _window("gap", gap), lateness)

    def _windows(self, size: float, slide: float, gap: float, lateness: float) -> WindowedStream:
        above: Node | None = self._node
        while above is not None and not isinstance(above, _EventTime):
            above = above.parent
        if above is None:
            raise ValueError("windows need event times: call .event_time(lambda value: ...) before .key_by(...)")
        _positive("lateness", lateness, zero=True)
        return WindowedStream(_Windows(self._node.env, self._node, size, slide, gap, lateness))


class WindowedStream:
    """The values of each key in each window. A result is a dictionary: key, start, end (seconds since 1970), value, and
    `firing`: 1, or more when it corrects an earlier result. `late`: the stream of what came too late."""

    def __init__(self, node: _Windows) -> None:
        self._node = node
        self.late = Stream(node.late)

    def apply(self, fn: Fn) -> Stream:
        """`fn(values)` of each window is its value."""

        def result(run: Attempt, element: Element) -> list[Any]:
            found = {name: value for name, value in element.value.items() if name != "values"}
            return [found | {"value": fn(list(element.value["values"]))}]

        return Stream(_Each(self._node.env, self._node, result))

    def count(self) -> Stream:
        """How many values each window has."""
        return self.apply(len)

    def aggregate(self, add: Fn, start: Any) -> Stream:
        """`add(so_far, value)` for each value in its turn, from `start`."""

        def fold(values: list[Any]) -> Any:
            so_far = start
            for value in values:
                so_far = add(so_far, value)
            return so_far

        return self.apply(fold)


def _positive(name: str, value: float, zero: bool = False) -> float:
    if not isinstance(value, (int, float)) or not (value >= 0 if zero else value > 0):
        raise ValueError(f"{name}={value!r}: must be {'zero or more' if zero else 'more than zero'} seconds")
    return value


def _window(name: str, value: float) -> float:
    if not _SHORTEST <= _positive(name, value) <= _LONGEST:
        raise ValueError(f"{name}={value!r}: must be from {_SHORTEST} to {_LONGEST:g} seconds")
    return value
