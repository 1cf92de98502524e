"""The check engine with tiny exercises: whatever a learner passes, the answer is one clear verdict."""

import enum
import functools
import json
import os
import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from lablib import texts
from lablib.exercises import Exercise, Problem, all_exercises, base, exercise, knobs, progress
from lablib.exercises.case import HIGHEST, crashes, number, scaled
from lablib.exercises.learner import Memory, fingerprint, is_placeholder
from lablib.exercises.solutions import find as find_solution
from lablib.exercises.stage import gives_up

SumCase = knobs(size=number("number", 0, 30), offset=scaled("offset {:d}", 20), seeds=3)


class Sum(Exercise):
    """Add numbers up."""

    id = "00.sum"
    signature = "add(sqs, numbers)"
    hints = ("first", "second", "third")
    knobs = SumCase
    harmless = {"size": 2}

    def play(self, stage, case):
        numbers = [case.offset + n for n in range(case.size)]
        result = stage.call("adder", stage.sqs, numbers, until=60)
        if result != sum(numbers):
            raise Problem(f"The sum of {numbers} is {sum(numbers)}, not {result!r}.")


class Loop(Exercise):
    """Receive for ever."""

    id = "00.loop"
    signature = "loop(sqs, queue_url)"
    hints = ("one", "two", "three")
    knobs = SumCase
    examples = 2
    events = 500

    def play(self, stage, case):
        stage.keep_running("looper", stage.sqs, stage.queue("q"))
        stage.run(until=100)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(progress, "_unsaved", {})
    return tmp_path / "home"


def good(sqs, numbers):
    return sum(numbers)


# ---- what is passed --------------------------------------------------------------------------------------------------


def placeholders():
    def dots(sqs, numbers): ...

    def documented(sqs, numbers):
        """Add the numbers."""
        ...

    def passing(sqs, numbers):
        pass

    def returning(sqs, numbers):
        return None

    return [dots, documented, passing, returning, lambda sqs, numbers: None, functools.partial(dots)]


@pytest.mark.parametrize("fn", placeholders())
def test_a_placeholder_is_not_attempted_and_leaves_no_trace(fn, home):
    verdict = Sum().check(fn)
    assert repr(verdict) == "00.sum: not attempted. Write add(sqs, numbers), run its cell, then check it again."
    assert not verdict
    assert not home.exists()


def test_a_function_that_does_something_is_no_placeholder():
    def returns_a_value(sqs, numbers):
        return 0

    def calls(sqs, numbers):
        print()

    def raises(sqs, numbers):
        raise NotImplementedError

    def generates(sqs, numbers):
        yield

    assert not any(map(is_placeholder, (returns_a_value, calls, raises, generates, len, 3, None)))


async def asynchronous(sqs, numbers):
    return sum(numbers)


def generating(sqs, numbers):
    yield sum(numbers)


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (None, "You passed nothing (None). Pass the function itself, without calling it: .check(add)"),
        (3, "You passed int 3."),
        (good(None, [1]), "You passed int 1."),
        (
            lambda numbers: 0,
            "Your function takes (numbers). It is called with (sqs, numbers), so write: def add(sqs, numbers)",
        ),
        (lambda sqs, numbers, more: 0, "so write: def add(sqs, numbers)"),
        (lambda sqs, *, numbers: 0, "so write: def add(sqs, numbers)"),
        (asynchronous, "is async"),
        (generating, "contains yield"),
    ],
)
def test_what_is_no_such_function_gets_one_clear_line(fn, words):
    verdict = Sum().check(fn)
    assert verdict.state == "failed"
    assert words in repr(verdict)
    assert len(repr(verdict).splitlines()) == 1
    with pytest.raises(ValueError, match="no failing case"):
        verdict.replay()


class Adder:
    def __call__(self, sqs, numbers):
        return sum(numbers)

    def method(self, sqs, numbers):
        return sum(numbers)


@pytest.mark.parametrize(
    "fn",
    [
        good,
        Adder(),
        Adder().method,
        functools.partial(good),
        lambda *all: sum(all[1]),
        lambda sqs, numbers, n=0: sum(numbers),
    ],
)
def test_anything_that_can_be_called_so_is_taken(fn):
    verdict = Sum().check(fn)
    assert repr(verdict) == "00.sum: passed. It held in 61 cases."
    assert verdict


# ---- what it does ----------------------------------------------------------------------------------------------------


def test_the_smallest_failing_case_is_found_and_replayed():
    def fails_from_seven_on(sqs, numbers):
        time.sleep(1)
        return sum(numbers) if len(numbers) < 7 else 0

    add = Sum()
    verdict = add.check(fails_from_seven_on)
    assert repr(verdict).splitlines() == [
        "00.sum: failed.",
        "The sum of [0, 1, 2, 3, 4, 5, 6] is 21, not 0.",
        "Smallest case found: 7 numbers, seed 0.",
        'Replay it: exercise("00.sum").replay()',
    ]
    replay = add.replay()
    assert repr(replay).startswith("00.sum: The sum of [0, 1, 2, 3, 4, 5, 6] is 21, not 0. Case: 7 numbers, seed 0.")
    assert replay.seed == 0


def test_an_error_comes_with_the_line_that_raised_it():
    def divides(sqs, numbers):
        return sum(numbers) / len(numbers) * len(numbers)

    text = repr(Sum().check(divides))
    assert "Your function raised ZeroDivisionError: division by zero" in text
    assert ": return sum(numbers) / len(numbers) * len(numbers)" in text
    assert "0 numbers, seed 0" in text


def helper(numbers):
    return numbers[99]


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda sqs, numbers: sqs.send_message(QueueUrl="x"), 'Missing required parameter in input: "MessageBody"'),
        (lambda sqs, numbers: sqs.send_message(QueueUrl="x", MessageBody="x"), "QueueDoesNotExist"),
        (lambda sqs, numbers: sqs.receive(), "has no attribute 'receive'"),
        (lambda sqs, numbers: helper(numbers), "IndexError: list index out of range\n  line "),
        (lambda sqs, numbers: sys.exit("bye"), "SystemExit: bye"),
        (lambda sqs, numbers: good(sqs), "missing 1 required positional argument"),
        (lambda sqs, numbers: exec("raise RecursionError"), "Your function raised RecursionError."),
    ],
)
def test_every_error_is_passed_through_in_words(fn, words):
    verdict = Sum().check(fn)
    assert verdict.state == "failed"
    assert words in repr(verdict)


def test_an_operation_that_is_not_simulated_says_so(monkeypatch):
    def purges(sqs, numbers):
        return sqs.purge_queue(QueueUrl="https://sqs.us-east-1.amazonaws.com/123456789012/orders")

    monkeypatch.delattr("lablib.services.sqs.Sqs.purge_queue")
    assert "NotSimulated: sqs.purge_queue" in repr(Sum().check(purges))


def test_prints_appear_once(capsys):
    def prints(sqs, numbers):
        print("adding", len(numbers))
        print("to stderr", file=sys.stderr)
        return sum(numbers)

    verdict = Sum().check(prints)
    assert verdict
    assert capsys.readouterr() == ("adding 2\n", "to stderr\n")


def never(sqs, numbers):
    while True:
        pass


def never_but_swallows(sqs, numbers):
    while True:
        try:
            sqs.receive_message(QueueURL="typo")
        except:  # noqa: E722
            pass


def never_in_virtual_time(sqs, numbers):
    while True:
        time.sleep(0)


@pytest.mark.parametrize("fn", [never, never_but_swallows, never_in_virtual_time])
def test_a_function_that_never_ends_is_ended_without_a_verdict(fn, monkeypatch):
    monkeypatch.setattr(base, "_GUARD", 0.4)
    add = Sum()
    verdict = add.check(fn)
    assert verdict.state == "no verdict"
    assert "real seconds without waiting or calling AWS, and was stopped" in verdict.text
    assert add.state == "not attempted"  # a slow machine says nothing about the function
    assert Sum().check(good)  # and all is well afterwards


def test_a_function_that_waits_for_ever_is_ended():
    def waits(sqs, numbers):
        while True:
            time.sleep(5)

    assert "had not returned after 60 virtual seconds" in repr(Sum().check(waits))


def test_too_many_calls_end_the_try():
    def polls(sqs, queue_url):
        while True:
            sqs.receive_message(QueueUrl=queue_url)

    def asks(sqs, queue_url):
        while True:
            try:
                sqs.get_queue_attributes(QueueUrl=queue_url)
            except:  # noqa: E722
                pass

    def leaves(sqs, queue_url):
        sqs.receive_message(QueueUrl=queue_url)

    assert "calls that brought nothing. Let SQS wait for messages: WaitTimeSeconds=20." in repr(Loop().check(polls))
    assert "Every call costs money and time." in repr(Loop().check(asks))
    assert "Does a loop never end?" not in repr(Loop().check(asks))  # it is to go on for ever
    assert "Your function returned at" in repr(Loop().check(leaves))


counter = 0
seen = []


def test_what_a_function_remembers_does_not_spoil_the_next_case_and_is_put_back():
    def counts(sqs, numbers, cache={}):  # noqa: B006
        global counter
        counter += 1
        seen.append(numbers)
        cache[len(cache)] = numbers
        counts.calls = getattr(counts, "calls", 0) + 1
        return sum(numbers) if counter == len(seen) == len(cache) == 1 else None

    counts.calls = 5
    verdict = Sum().check(counts)
    assert verdict, verdict
    assert (counter, seen, counts.__defaults__, counts.calls) == (0, [], ({},), 5)


class Tally:
    calls = 0
    seen: list = []

    def note(self, numbers):
        Tally.calls += 1
        self.seen.append(numbers)
        return len(Tally.seen)


class Colour(enum.Enum):
    RED = 1


def test_class_variables_are_put_back_and_each_program_has_its_own():
    def counts(sqs, numbers):
        assert isinstance(Colour.RED, Colour)
        return sum(numbers) if Tally().note(numbers) == Tally.calls == 1 else None

    verdict = Sum().check(counts)
    assert verdict, verdict
    memory = Memory(counts)
    one, two = memory.program(), memory.program()
    assert (one(None, [1]), one(None, [1]), two(None, [1])) == (1, None, 1)
    assert (Tally.calls, Tally.seen) == (0, [])
    memory.forget()
    assert memory.changed == ["Tally.calls", "Tally.seen"]


def test_a_failure_names_what_the_function_remembers():
    def forgets_half(sqs, numbers):
        seen.extend(numbers)
        return sum(seen) if len(seen) < 5 else 0

    assert "Note: your function keeps something in `seen`." in repr(Sum().check(forgets_half))
    assert seen == []


# ---- the search ------------------------------------------------------------------------------------------------------


def test_knobs_say_what_they_allow():
    assert str(SumCase(1, 0, 2)) == "1 number, seed 2"
    assert str(SumCase(2, 3)) == "2 numbers, offset 3, seed 0"
    with pytest.raises(ValueError, match=f"x: .*<= {HIGHEST}"):
        knobs(x=number("x", 0, HIGHEST + 1))
    words = crashes("charge", 2).words
    assert [words(n) for n in range(4)] == [
        "",
        "a crash just before the end of the 1st charge",
        "a crash right after the 1st charge",
        "a crash just before the end of the 2nd charge",
    ]


def test_the_search_counts_trials_and_not_seconds(monkeypatch):
    tried = []

    class Counting(Sum):
        def play(self, stage, case):
            tried.append(case)
            if case.size > 6:
                raise Problem("too many")

    assert not Counting().check(good)
    assert len(set(tried)) == len(tried) <= 1 + 60 * 4
    assert min(case for case in tried if case.size > 6) == SumCase(7, 0, 0)


def test_a_case_at_the_edge_is_tried_in_any_case_and_made_smaller():
    class Edge(Sum):
        also = ({"size": 30, "offset": 20, "seed": 3},)
        examples = 3

        def play(self, stage, case):
            if case.size > 25 and case.offset > 15:
                raise Problem("too much")

    verdict = Edge().check(good)
    assert "too much" in verdict.text
    assert "Smallest case found" in verdict.text


def test_a_knob_that_does_nothing_is_not_mentioned_though_few_trials_are_left():
    class Edge(Sum):
        also = ({"size": 30, "offset": 20, "seed": 3},)
        examples = 1

        def play(self, stage, case):
            if case.size > 25:
                raise Problem("too much")

    text = Edge().check(good).text
    assert "offset" not in text
    assert ", seed 0." in text


def test_the_plain_case_is_not_called_the_smallest():
    assert "The case: 2 numbers, seed 0." in repr(Sum().check(lambda sqs, numbers: 7))


def test_the_search_is_the_same_everywhere(tmp_path):
    """In another process, with other modules loaded and another hash seed; and nothing stays in the current folder."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import json, csv, decimal\n"
        "from exercises import lab01_answers as a; from lablib import exercise\n"
        "print(exercise('01.idempotent').check(a.idempotent_check_then_act))"
    )
    tests = os.path.dirname(os.path.dirname(__file__))
    texts = set()
    for seed in ("0", "77"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code, tests], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        texts.add(done.stdout)
    from exercises import lab01_answers

    texts.add(repr(exercise("01.idempotent").check(lab01_answers.idempotent_check_then_act)) + "\n")
    assert len(texts) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


# ---- progress --------------------------------------------------------------------------------------------------------


def test_progress_is_kept(home):
    add = Sum()
    assert add.state == "not attempted"
    add.check(None)
    assert (add.state, repr(add)) == ("failed", "00.sum Add numbers up: add(sqs, numbers), failed")
    add.check(good)
    add.hint()
    assert add.state == "passed" == Sum().state
    add.check(placeholders()[0])
    assert add.state == "passed"
    kept = json.loads((home / "progress.json").read_text())["exercises"]["00.sum"]
    assert kept.pop("code") == fingerprint(good)
    assert kept == {"state": "passed", "attempts": 2, "hints": 1, "solution_seen": False, "best": None}
    assert sorted(p.name for p in home.iterdir() if p.is_file()) == ["progress.json", "progress.lock"]


def test_the_best_score_is_the_least():
    class Golf(Sum):
        target, par, unit, examples = 9.0, 5.0, "strokes", 1
        strokes = 7.0

        def play(self, stage, case):
            return self.strokes

    golf = Golf()
    assert repr(golf.check(good)) == "00.sum: passed with 7 strokes. Target 9, par 5."
    golf.strokes = 4.0
    assert repr(golf.check(good)).endswith("par 5. At par or better: well done!")
    golf.strokes = 8.0
    golf.check(good)
    assert progress.record("00.sum").best == 4.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"exercises": 3}',
        '{"exercises": {"00.sum": {"state": "won"}}}',
        '{"exercises": {"00.sum": {"hints": -1}}}',
        "\x00\xff",
        "{}",
        "[" * 100_000,
        '{"exercises": {"00.sum": {"attempts": true}}}',
        '{"exercises": {"00.sum": {"best": NaN}}}',
        '{"exercises": {"00.sum": {"attempts": 1' + "0" * 5000 + "}}}",
    ],
    ids=lambda text: text[:45],
)
def test_an_unreadable_file_is_moved_aside(home, text, capsys):
    home.mkdir()
    (home / "progress.json").write_text(text)
    assert Sum().check(good)
    assert (
        capsys.readouterr().out
        == "Your progress file could not be read. It is now progress.unreadable-1.json, beside a new one.\n"
    )
    assert (home / "progress.unreadable-1.json").read_text() == text
    assert Sum().state == "passed"


def test_where_no_lock_can_be_had_progress_is_kept_all_the_same(home, monkeypatch):
    """A folder on a network may have none."""

    def flock(file, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("lablib.files.fcntl.flock", flock)
    assert Sum().check(good)
    assert Sum().state == "passed" and (home / "progress.json").exists()


def test_a_full_disk_is_said_once_and_leaves_nothing_half_done(home, monkeypatch, capsys):
    Sum().check(None)
    before = (home / "progress.json").read_text()

    def write_text(self, text, **options):
        self.write_bytes(b"{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", write_text)
    assert Sum().check(good)
    assert (home / "progress.json").read_text() == before
    assert [p.name for p in home.iterdir() if p.name.startswith(".")] == []
    assert capsys.readouterr().out.count("No space left on device") == 1


def test_what_a_later_version_knows_is_no_reason_to_fail(home):
    home.mkdir()
    (home / "progress.json").write_text('{"version": 9, "exercises": {"00.sum": {"state": "passed", "stars": 3}}}')
    assert Sum().state == "passed"


def test_a_folder_that_cannot_be_written_is_said_once(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MESSAGING_LAB_HOME", str(tmp_path / "file" / "home"))
    add = Sum()
    assert add.check(good)
    assert add.state == "passed"
    add.check(None)
    assert add.state == "failed"
    assert capsys.readouterr().out.count("Your progress is not saved") == 1


def test_the_same_code_again_is_no_new_attempt():
    def once(sqs, numbers):
        return sum(numbers)

    first = once

    def once(sqs, numbers):

        return sum(numbers)

    add = Sum()
    for fn in (first, once, once):
        add.check(fn)
    assert progress.record("00.sum").attempts == 1
    add.check(lambda sqs, numbers: sum(numbers) + 0)
    assert progress.record("00.sum").attempts == 2


def test_a_change_in_a_helper_or_a_constant_is_a_change():
    def one(sqs, numbers):
        return helper(numbers) + 1

    def two(sqs, numbers):
        return helper(numbers) + 2

    assert fingerprint(one) != fingerprint(two)
    assert fingerprint(print) == ""


# ---- helping ---------------------------------------------------------------------------------------------------------


def test_hints_are_a_ladder():
    add = Sum()
    assert [add.hint_text().splitlines()[0] for _ in range(4)] == [
        "Hint 1 of 3: first",
        "Hint 2 of 3: second",
        "Hint 3 of 3: third",
        "Hint 3 of 3: third",
    ]
    assert add.hint_text(2) == "Hint 2 of 3: second"
    assert progress.record("00.sum").hints == 3
    for bad in (0, 4, "x"):
        with pytest.raises(ValueError, match="from 1 to 3"):
            add.hint(bad)


def test_three_hints_in_a_cell_are_three_hints(capsys):
    add = Sum()
    for _ in range(3):
        assert add.hint() is None
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:3]] == [
        f"Hint {n} of 3" for n in (1, 2, 3)
    ]


def test_a_long_hint_breaks_between_words(capsys, monkeypatch):
    monkeypatch.setattr(Sum, "hints", ("word " * 40 + "answer.get('Messages', [])",))
    Sum().hint()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 88
    assert "answer.get('Messages'," in " ".join(lines).split(), "no word is in two lines"


def test_after_a_pass_the_solution_asks_no_more(monkeypatch):
    monkeypatch.setattr("lablib.exercises.solutions.source_of", lambda id: "def add(): ...")
    add = Sum()
    assert "You learn most from your own try" in add.solution()
    add.check(good)
    assert add.solution() == "def add(): ..."


def test_every_exercise_has_a_ladder_and_a_title_and_prose_for_a_pass():
    for e in all_exercises():
        assert len(e.hints) >= 3
        assert all(key in e.knobs.knobs or key == "longest" for key in texts.entries(f"{e.id} passed"))
        assert texts.text(f"{e.id} idea") and texts.text(f"{e.id} question").endswith("?")
        assert e.title
        assert e.signature.startswith(f"{e.name}(")


def test_the_solution_asks_first():
    assert repr(Sum().solution()).startswith("You have seen 0 of 3 hints.")
    assert not progress.record("00.sum").solution_seen
    with pytest.raises(FileNotFoundError, match="solutions/"):
        Sum().solution(sure=True)


SOURCE = '''
# %%
def consumer(sqs, queue_url, process):
    """Take messages."""
    ### BEGIN SOLUTION
    while True:
        process(1)
    ### END SOLUTION

# %%
exercise("01.consumer").check(consumer)

# %%
import json

def consumer(sqs, queue_url, ledger):
    ### BEGIN SOLUTION
    return 2
    ### END SOLUTION

exercise("01.idempotent").check(consumer)
'''


def test_a_solution_is_found_in_the_source_of_the_lab():
    assert find_solution(SOURCE, "01.consumer") == (
        'def consumer(sqs, queue_url, process):\n    """Take messages."""\n    while True:\n        process(1)\n'
    )
    assert find_solution(SOURCE, "01.idempotent") == "def consumer(sqs, queue_url, ledger):\n    return 2\n"
    with pytest.raises(LookupError, match=r"01\.fleet"):
        find_solution(SOURCE, "01.fleet")


def test_a_solution_in_two_cells_is_found_as_a_whole():
    source = """
# %%
def given(x):
    return x

# %%
def half(x):
    ### BEGIN SOLUTION
    return x / 2
    ### END SOLUTION

# %%
def whole(x):
    ### BEGIN SOLUTION
    return 2 * half(given(x))
    ### END SOLUTION

exercise("01.fleet").check(whole)
"""
    assert find_solution(source, "01.fleet") == (
        "def half(x):\n    return x / 2\n\n\ndef whole(x):\n    return 2 * half(given(x))\n"
    )


def test_an_unknown_exercise_is_named_with_a_near_one():
    with pytest.raises(ValueError, match=r"did you mean '01\.idempotent'"):
        exercise("01.idempotant")
    with pytest.raises(ValueError, match=r"there are 01.producer, 01.consumer"):
        exercise("zzz")


def test_nothing_can_be_replayed_before_a_check():
    with pytest.raises(ValueError, match="nothing to replay yet"):
        Sum().replay()
    add = Sum()
    add.check(good)
    with pytest.raises(ValueError, match="no failing case"):
        add.replay()


def test_four_kernels_that_save_at_once_lose_nothing(home):
    """Each adds 25 attempts to one exercise and 25 to its own."""
    code = (
        "import sys; from dataclasses import replace; from lablib.exercises import progress\n"
        "for _ in range(25):\n"
        "    for id in ('00.all', sys.argv[1]):\n"
        "        progress.update(id, lambda record: replace(record, attempts=record.attempts + 1))"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, f"00.k{n}"]) for n in range(4)]
    assert [kernel.wait(120) for kernel in kernels] == [0, 0, 0, 0]
    assert progress.record("00.all").attempts == 100
    assert [progress.record(f"00.k{n}").attempts for n in range(4)] == [25] * 4


def test_a_call_that_is_refused_or_unanswered_for_good_is_none_of_the_learners_errors():
    refused = ClientError({"Error": {"Code": "ThrottlingException"}}, "PutRecords")
    assert gives_up(refused) and gives_up(ReadTimeoutError(endpoint_url="https://kinesis"))
    for other in (
        ClientError({"Error": {"Code": "AccessDenied"}}, "PutRecords"),
        ValueError("no"),
        NoCredentialsError(),
    ):
        assert not gives_up(other)
