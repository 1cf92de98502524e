"""Lab 04b's scenario: a bucket that tells one queue, or a topic, as the lab tells of it."""

import json
from itertools import pairwise

import pytest

from lablib.scenarios import Action
from lablib.scenarios.lab04b import Uploads, keys_in, photos, worked
from lablib.scenarios.run import check, simulate

GOLDEN = {
    Uploads(): "3eb5160348e587d8",
    Uploads(way="one queue"): "59bb571dfa87a25f",
    Uploads(catalogue=True): "ff63a073830abf75",
}


def fresh(scenario, seed=7, actions=(), until=None):
    return simulate(*check(scenario, seed, actions, until, "2023"))


@pytest.mark.parametrize("scenario", GOLDEN, ids=repr)
def test_the_default_run_is_the_same_everywhere(scenario):
    """A change here means: every seed in the notebook now gives another run. Say so when you change it."""
    assert fresh(scenario, 1).digest.startswith(GOLDEN[scenario])


def test_programs_that_share_a_queue_have_each_photo_once_between_them():
    run = fresh(Uploads(way="one queue"))
    done = [set(photo["done"]) for photo in photos(run).values() if photo["state"] != "open"]
    assert all(len(programs) == 1 for programs in done)
    assert {program for programs in done for program in programs} == {"resize", "faces"}
    assert worked(run)["all"] == 0


def test_behind_a_topic_each_program_has_all_of_them():
    run = fresh(Uploads())
    assert worked(run)["all"] > 50
    assert worked(run)["some"] == worked(run)["nobody"] == 0
    work = run.trace.where("PhotoDone")
    assert len(work) == len({(row.resource, row.subject) for row in work}), "once each"


def test_the_same_photos_and_the_same_work_in_both_ways():
    one, topic = (fresh(Uploads(way=way)) for way in ("one queue", "a topic"))
    assert [(key, photo["t"]) for key, photo in photos(one).items()] == [
        (key, photo["t"]) for key, photo in photos(topic).items()
    ]


def test_a_program_that_is_held_up_holds_up_no_other():
    held = [Action("freeze", 60.0, f"faces-{n}", 60.0) for n in (1, 2)]
    free, stopped = fresh(Uploads()), fresh(Uploads(), actions=held)

    def resized(run):
        return {key: photo["done"]["resize"] for key, photo in photos(run).items() if photo["t"] < 150}

    assert resized(free) == pytest.approx(resized(stopped), abs=0.5)
    late = {key for key, photo in photos(stopped).items() if 62 < photo["t"] < 110}
    assert late and all(photos(stopped)[key]["done"]["faces"] > 119 for key in late)


def test_a_thumbnail_that_is_stored_where_the_bucket_listens_makes_another():
    run = fresh(Uploads(stored="photos/"))
    assert any(key.count("-small") >= 5 for key in photos(run))
    assert worked(run)["open"] > 5 * worked(fresh(Uploads()))["open"], "and the queues fill"
    assert all("-small" not in key for key in photos(fresh(Uploads())))


def test_the_function_is_tried_again_after_one_minute_and_after_two_more_and_then_its_event_is_gone():
    """Lambda: two retries of an event that it was handed, after one minute and two more minutes."""
    away = fresh(Uploads(catalogue=True), actions=[Action("catalogue_away", 60.0, value=90.0)])
    assert not away.trace.where("EventDiscarded")
    late = [p for p in photos(away).values() if 60 < p["t"] < 140]
    assert late and all(p["done"]["catalogue"] - p["t"] > 55 for p in late)
    gone = fresh(Uploads(catalogue=True), actions=[Action("catalogue_away", 60.0, value=240.0)])
    lost = gone.trace.where("EventDiscarded")[0]
    failures = [row.time for row in gone.trace.where("InvocationFailed", subject=lost.subject)]
    assert [b - a for a, b in pairwise(failures)] == pytest.approx([60.5, 120.5], abs=1.0)
    assert worked(gone)["some"] > 5
    board = gone.scenario.lens(gone)["orders"]
    missed = [column["settled"] for column in board if not column["open"] and None in column["told"]]
    given_up = [row.time for row in gone.trace.where("EventDiscarded")]
    assert sorted(missed) == given_up and len(missed) == worked(gone)["some"]  # missed when given up, and not before
    assert [token.start for token in gone.tokens.tokens if token.state == "lost"] == given_up


def test_a_second_trouble_of_the_catalogue_prolongs_the_first():
    twice = [Action("catalogue_away", 60.0, value=30.0), Action("catalogue_away", 70.0, value=60.0)]
    run = fresh(Uploads(catalogue=True), actions=twice)
    (over,) = [row.time for row in run.trace.where("Intervened") if "again" in row.detail]
    assert over == 130.0


def test_the_catalogue_is_told_by_a_topic_only():
    assert list(Uploads(catalogue=True, way="one queue").receivers()) == ["resize", "faces"]
    assert "catalogue_away" not in {spec.kind for spec in Uploads(catalogue=True, way="one queue").actions()}
    assert "catalogue_away" in {spec.kind for spec in Uploads(catalogue=True).actions()}


def test_the_board_has_a_column_for_each_photo_and_what_is_not_over_is_open():
    run = fresh(Uploads(way="one queue"))
    board = run.scenario.lens(run)
    assert len(board["orders"]) == len(photos(run))
    assert sum(column["open"] for column in board["orders"]) == worked(run)["open"] > 0
    closed = [column for column in board["orders"] if not column["open"]]
    assert all(sum(told is not None for told in column["told"]) == 1 for column in closed)
    assert all(column["says"].startswith("Nobody but ") for column in closed)


def test_the_test_event_names_no_object():
    assert keys_in(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []


def test_a_burst_is_uploaded():
    run = fresh(Uploads(), actions=[Action("burst", 10.0, value=20)])
    assert sum(10 <= photo["t"] < 11 for photo in photos(run).values()) >= 20


def test_what_a_program_stores_comes_of_the_photo_that_it_worked_on():
    """So that the picture counts as sent what visitors upload, and nothing else."""
    run = fresh(Uploads(stored="photos/"))
    made = [key for key in photos(run) if "-small" in key]
    assert made and all(key.replace("-small", "", 1) in run.trace.ancestors(key) for key in made)
