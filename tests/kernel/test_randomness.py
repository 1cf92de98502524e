"""random, uuid, secrets, os.urandom and tempfile inside a process: same seed, same run."""

import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from random import choice
from uuid import uuid4

import numpy
import pytest

from lablib.kernel import Chance, Kernel


def draw():
    """One of everything."""
    numbers = list(range(10))
    random.shuffle(numbers)
    with tempfile.NamedTemporaryFile() as file:
        name = os.path.basename(file.name)
    return {
        "random": random.random(),
        "gauss": random.gauss(0, 1),
        "choice": choice("abcdefghij"),
        "shuffle": numbers,
        "Random()": random.Random().random(),
        "SystemRandom": random.SystemRandom().random(),
        "uuid1": str(uuid.uuid1()),
        "uuid4": str(uuid4()),
        "secrets": secrets.token_hex(8),
        "urandom": os.urandom(8).hex(),
        "tempfile": name,
    }


def drawn(seed=1, name="program", before=lambda: None):
    kernel = Kernel(Chance(seed))
    process = kernel.spawn(lambda: before() or draw(), name=name)
    kernel.advance(1)
    kernel.close()
    return process.result


def test_the_same_seed_gives_the_same_whatever_else_the_notebook_did():
    first = drawn()
    random.seed(42)
    draw()
    assert drawn() == first


@pytest.mark.parametrize("other", [{"seed": 2}, {"name": "other"}])
def test_each_seed_and_each_program_has_its_own(other):
    first, second = drawn(), drawn(**other)
    assert [what for what in first if first[what] == second[what]] == []


def test_outside_it_stays_real():
    random.seed(5)
    before = random.getstate()
    drawn()
    assert random.getstate() == before
    first, second = draw(), draw()
    assert [what for what in first if first[what] == second[what]] == []
    random.seed(5)
    a = random.random()
    random.seed(5)
    assert random.random() == a


def test_seeding_reaches_the_functions_of_random_and_not_identifiers():
    """uuid4 asks the operating system, whatever random.seed() says: two programs that seed alike have other ids."""
    seed = lambda: random.seed(7)  # noqa: E731
    one, two = drawn(name="one", before=seed), drawn(name="two", before=seed)
    assert {what for what in one if one[what] == two[what]} == {"random", "gauss", "choice", "shuffle"}


def test_a_program_that_starts_again_has_new_identifiers():
    kernel, seen = Kernel(), []
    for _ in range(2):
        kernel.spawn(lambda: seen.append((str(uuid4()), random.random())), name="worker")
        kernel.advance(1)
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_threads_of_a_program_share_its_stream(kernel):
    def program():
        threads = [threading.Thread(target=lambda: seen.append(random.random())) for _ in range(3)]
        for thread in threads:
            thread.start()

    seen = []
    kernel.spawn(program)
    kernel.advance(1)
    again = Kernel()
    process = again.spawn(lambda: [random.random() for _ in range(3)], name="program")
    again.advance(1)
    assert process.result == seen


def test_uuid1_is_made_of_virtual_time_and_rises():
    kernel = Kernel()

    def program():
        first, second = uuid.uuid1(), uuid.uuid1()
        time.sleep(10)
        return first, second, uuid.uuid1()

    process = kernel.spawn(program)
    kernel.advance(60)
    first, second, third = process.result
    assert (first.time - 0x01B21DD213814000) / 1e7 == kernel.epoch
    assert second.time == first.time + 1
    assert third.time == first.time + 100_000_000
    assert first.node == third.node


def test_numpys_generators_are_the_learners_to_seed():
    def program():
        numpy.random.seed(3)
        return numpy.random.random(), numpy.random.default_rng(4).random()

    numpy.random.seed(3)
    expected = numpy.random.random(), numpy.random.default_rng(4).random()
    kernel = Kernel()
    process = kernel.spawn(program)
    kernel.advance(1)
    assert process.result == expected


def test_what_a_module_draws_when_it_is_imported_does_not_shift_the_stream():
    """The first run of an interpreter imports; the second does not. numpy.random draws its first seed from secrets."""
    code = """
import lablib, random, os
from lablib.kernel import Kernel
def program():
    import numpy.random
    return random.random(), os.urandom(4)
def run():
    k = Kernel(); p = k.spawn(program); k.advance(1); return p.result
print(run() == run())
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


def test_the_first_temporary_file_of_an_interpreter_does_not_shift_the_stream():
    """tempfile tries names in its folder when it is first asked, and remembers the folder."""
    code = """
import lablib, os, tempfile
from lablib.kernel import Kernel
def run():
    k = Kernel(); p = k.spawn(lambda: (tempfile.mktemp(), os.urandom(4))); k.advance(1); return p.result
print(run() == run())
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"
