"""Each numbered item of a "Try it", done in the browser as it is written. `tests/notebooks/test_try_its.py` finds the
items in the sources of the labs, and fails for one that nobody follows.

A follower begins where the one before it has left the workbench, as a learner does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from browser.bench import Bench
from playwright.sync_api import expect

Follower = Callable[[Bench], None]
FOLLOWERS: dict[str, dict[int, Follower]] = {}


def follows(lab: str, *numbers: int) -> Callable[[Follower], Follower]:
    """This function does these items of that lab."""

    def keep(function: Follower) -> Follower:
        for number in numbers:
            assert number not in FOLLOWERS.setdefault(lab, {}), f"{lab}: item {number} has two followers"
            FOLLOWERS[lab][number] = function
        return function

    return keep


# ---- what a learner does ---------------------------------------------------------------------------------------------


def put(bench: Bench, label: str, value: Any) -> None:
    """Give a setting of the drawer a value, as it is written there."""
    bench.open("What if")
    more = bench.side.locator("details:not([open]) > summary")
    if more.count():
        more.click()
    field = bench.side.get_by_label(f"{label}, exact value", exact=True)
    if field.count():
        field.fill(str(value))
        field.press("Enter")
    elif isinstance(value, bool):
        bench.side.get_by_label(label, exact=True).set_checked(value)
    else:
        bench.side.get_by_label(label, exact=True).select_option(value)
    bench.settled()


def do(bench: Bench, label: str, target: str = "", much: float | None = None) -> None:
    """Do something now, with the form of the drawer."""
    bench.open("What if")
    bench.side.get_by_label("What to do", exact=True).select_option(label=label)
    if target:
        bench.side.get_by_label("To what", exact=True).select_option(target)
    if much is not None:
        bench.side.get_by_label("How much", exact=True).fill(str(much))
    bench.button("Do it").click()
    bench.settled()


def stop_at(bench: Bench, t: float) -> None:
    """Play, pause, and go to an instant: how fast the machine plays is nothing that a test may hang on."""
    before = bench.ask("w => w.time.t")
    bench.play()
    bench.wait(f"w => w.time.t > {before}")
    bench.pause()
    to(bench, t)


def to(bench: Bench, t: float) -> None:
    """To an instant, without the way to it."""
    bench.ask("(w, t) => w.time.seek(t, true)", t)
    bench.settled()


def changes(bench: Bench, step: Callable[[], None]) -> None:
    """The step changes the run."""
    before = bench.run()
    step()
    assert bench.run() != before


def busy(bench: Bench, lane: int, group: str) -> int:
    """A worker of a lane that has a message in hand: its number among the actors."""
    script = """(w, [lane, group]) => { const {marks, run} = w.stage.lanes[lane];
        const m = marks.find(m => m.holder >= 0 && run.actors[m.holder].name.startsWith(group));
        return m ? m.holder : null; }"""
    found = bench.ask(script, [lane, group])
    assert found is not None, f"nobody of {group} is busy at {bench.time()} s"
    return int(found)


def press(bench: Bench, lane: int, actor: int, what: str) -> None:
    """Point at a worker, and press one of the buttons beside it."""
    at, canvas = bench.spot(f"{lane}a{actor}"), bench.canvas.bounding_box()
    assert canvas
    bench.page.mouse.move(canvas["x"] + at["x"], canvas["y"] + at["y"])  # what appears there may lie under the pointer
    there = bench.box.get_by_role("group", name="What can be done here")  # a mission may have such a button too
    there.get_by_role("button", name=re.compile(f"^{what} ")).click()
    bench.settled()


def marks(bench: Bench, lane: int) -> list[str]:
    """The marks of the lane that can be clicked now."""
    script = "(w, lane) => w.hits.filter(x => new RegExp(`^${lane}.*m[0-9]+$`).test(x.id)).map(x => x.id)"
    return list(bench.ask(script, lane))


def read_a_life(bench: Bench, lane: int, *has: str) -> None:
    """Click a mark of the lane that can be clicked; its card tells its life."""
    found = sorted(marks(bench, lane), key=lambda id: id[1] != "h")  # one that lies somewhere, before one in a hand
    assert found, f"no mark to click in lane {lane} at {bench.time()} s"
    bench.click(found[-1])
    expect(bench.card).to_be_visible()
    for words in has:
        expect(bench.card).to_contain_text(words)
    bench.page.keyboard.press("Escape")


# ---- lab 01 ----------------------------------------------------------------------------------------------------------


@follows("01", 1, 2)
def crash_in_the_spike(bench: Bench) -> None:
    to(bench, 75.0)
    actor = busy(bench, 1, "consumer")
    changes(bench, lambda: press(bench, 1, actor, "Crash"))
    read_a_life(bench, 1, "received")


@follows("01", 3)
def a_long_wait(bench: Bench) -> None:
    to(bench, 95.0)
    read_a_life(bench, 1, "sent to videos")


# ---- lab 02 ----------------------------------------------------------------------------------------------------------


@follows("02", 1)
def too_short(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "visibility timeout", 10))
    put(bench, "visibility timeout", 30)


@follows("02", 2)
def a_pause(bench: Bench) -> None:
    stop_at(bench, 20)
    actor = busy(bench, 1, "consumer")
    changes(bench, lambda: press(bench, 1, actor, "Freeze"))


@follows("02", 3)
def a_heartbeat(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "heartbeat every", 10))
    put(bench, "heartbeat every", 0)


@follows("02", 4)
def received_twice(bench: Bench) -> None:
    to(bench, 120.0)
    read_a_life(bench, 1, "received")


# ---- lab 03 ----------------------------------------------------------------------------------------------------------


@follows("03", 1)
def one_group(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "message group", "one"))
    changes(bench, lambda: put(bench, "message group", "truck"))


@follows("03", 2)
def a_truck_stands_still(bench: Bench) -> None:
    stop_at(bench, 8)
    changes(bench, lambda: do(bench, "Crash a consumer", "consumer-1"))


@follows("03", 3)
def many_consumers(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "consumers", 40))


@follows("03", 4)
def a_hundred_trucks(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "trucks", 100))
    changes(bench, lambda: put(bench, "consumers", 100))


# ---- lab 04 ----------------------------------------------------------------------------------------------------------


@follows("04", 1)
def crash_the_shop(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "shop crashes", 0))
    stop_at(bench, 5)
    changes(bench, lambda: do(bench, "Crash the shop"))


@follows("04", 2)
def a_life_names_the_copies(bench: Bench) -> None:
    for step in range(60):  # where something is on its way
        to(bench, 30 + 0.7 * step)
        if marks(bench, 0):
            break
    read_a_life(bench, 0, "orders")


@follows("04", 3)
def add_a_receiver(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "analytics comes later", True))
    to(bench, 100.0)
    changes(bench, lambda: do(bench, "Add analytics"))


@follows("04", 4)
def web_server_or_queue(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "receivers are told", "by topic"))
    changes(bench, lambda: put(bench, "partner is away for", 120))
    changes(bench, lambda: bench.side.get_by_label("Compare with another partner gets it by", exact=True).click())


@follows("04", 5)
def take_a_policy_away(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "partner is away for", 0))
    to(bench, 110.0)
    changes(bench, lambda: do(bench, "Take a queue's policy away", "mail", 60))
    changes(bench, lambda: put(bench, "dead-letter queue", True))


@follows("04", 6)
def a_slow_partner(bench: Bench) -> None:
    changes(bench, lambda: do(bench, "Partner is slow"))


# ---- lab 04b ---------------------------------------------------------------------------------------------------------


@follows("04b", 1)
def hold_one_program_up(bench: Bench) -> None:
    stop_at(bench, 20)
    for worker in ("faces-1", "faces-2"):
        changes(bench, lambda worker=worker: do(bench, "Freeze a consumer", worker, 60))  # type: ignore[misc]
    to(bench, 70.0)
    waiting = bench.ask("w => w.stage.lanes.map(({run}) => run.count('waiting', w.time.t))")
    assert waiting[0] >= 3, "in the lane with a topic the photos wait for faces"


@follows("04b", 2)
def feed_the_loop(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "small pictures go to", "photos/"))
    put(bench, "small pictures go to", "small/")


@follows("04b", 3)
def add_a_function(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "the bucket tells", "a topic"))
    changes(bench, lambda: put(bench, "function catalogue", True))
    to(bench, 60.0)
    changes(bench, lambda: do(bench, "Catalogue is away", much=90))
    changes(bench, lambda: do(bench, "Catalogue is away", much=240))


# ---- lab 05 ----------------------------------------------------------------------------------------------------------


@follows("05", 1)
def one_key_for_all(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "partition key", "constant"))
    changes(bench, lambda: put(bench, "partition key", "truck"))


@follows("05", 2)
def somebody_else_reads_on(bench: Bench) -> None:
    stop_at(bench, 10)
    changes(bench, lambda: do(bench, "Crash a worker", "worker-1"))


@follows("05", 3)
def more_workers_than_shards(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "workers", 8))
    changes(bench, lambda: put(bench, "shards", 8))


# ---- lab 02b ---------------------------------------------------------------------------------------------------------


@follows("02b", 1, 2)
def the_function_reports(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "of a bad order the function", "reports"))
    changes(bench, lambda: put(bench, "of a bad order the function", "reports, not asked"))
    put(bench, "receives before the dead-letter queue", 3)


@follows("02b", 3, 4)
def the_function_is_held_back(bench: Bench) -> None:
    put(bench, "of a bad order the function", "reports")
    changes(bench, lambda: put(bench, "bad orders", 0))
    changes(bench, lambda: put(bench, "reserved concurrency", 1))
    changes(bench, lambda: put(bench, "reserved concurrency", 2))
    changes(bench, lambda: put(bench, "maximum concurrency", 2))


# ---- lab 06 ----------------------------------------------------------------------------------------------------------


@follows("06", 1)
def nothing_to_replay(bench: Bench) -> None:
    bench.open("What if")
    options = bench.side.get_by_label("What to do", exact=True).locator("option")
    assert "Replay" not in options.all_inner_texts()


@follows("06", 2)
def the_stream_is_read_again(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "records go through", "both"))
    to(bench, 70.0)
    changes(bench, lambda: do(bench, "Replay"))


@follows("06", 3, 4, 5)
def something_fails(bench: Bench) -> None:
    changes(bench, lambda: put(bench, "transform", True))
    changes(bench, lambda: put(bench, "broken records", 10))
    changes(bench, lambda: put(bench, "backup", True))
    changes(bench, lambda: put(bench, "S3 does not answer for", 120))
