"""How long a lab takes: a formula, held against four labs that somebody did for the first time."""

import pytest
from notebooks import build, minutes

SOURCES = [path for path in build.sources(build.ROOT) if minutes.PLACE in path.read_text(encoding="utf-8")]
# What labs 01 to 04 held when a first-time learner did them, and the minutes that it took (measured, one learner).
DONE = {
    "01": (minutes.Content(1754, 31, 6884, 5, 4, 5, 2046), 80),
    "02": (minutes.Content(1995, 35, 10388, 5, 5, 5, 2004), 78),
    "03": (minutes.Content(2293, 35, 10780, 7, 5, 5, 2120), 115),
    "04": (minutes.Content(2997, 48, 18166, 6, 5, 5, 4252), 150),
}
SOURCE = """\
# %% [markdown]
# # A lab
#
# {minutes}

# %%
import json

# %% [markdown]
# ## 1. A section
#
# Five words stand here now.

# %%
predict("01.a")

# %%
workbench(VideoQueue)

# %% [markdown]
# ### A part (extra)

# %%
predict("01.b")

# %% [markdown]
# ### The next part
#
# ## 2. Exercises
#
# ### Exercise 1: f (extra)

# %%
def f():
    ### BEGIN SOLUTION
    return 12345
    ### END SOLUTION


exercise("01.f").check(f)

# %% [markdown]
# ## Cost (extra)
"""


@pytest.mark.parametrize("lab", DONE)
def test_the_formula_comes_near_to_what_a_learner_took(lab):
    content, took = DONE[lab]
    assert content.minutes == pytest.approx(took, rel=0.15)


def test_what_is_extra_has_a_heading_that_says_so():
    first, second, cost = minutes.sections(SOURCE, missions=3)
    assert [s.title for s in (first, second, cost)] == ["1. A section", "2. Exercises", "Cost"]
    assert (first.core.guesses, first.extra.guesses) == (1, 1), "a part is extra up to the next heading"
    assert (first.core.missions, first.core.cells, first.extra.cells) == (3, 3, 1)
    assert (second.core.exercises, second.extra.exercises) == (0, 1)
    assert second.extra.written == len("return 12345")
    assert (cost.core.words, cost.extra.words) == (0, 2)


def test_the_build_fills_the_minutes_in():
    filled = minutes.fill(SOURCE, missions=3)
    core, extra = minutes.minutes(SOURCE, missions=3)
    assert f"# **About {core} minutes.** What is marked *extra* takes about {extra} more." in filled
    assert "# | 1. A section | 9 | 4 |" in filled
    assert minutes.fill("# no place for them\n") == "# no place for them\n"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_lab_says_its_minutes_by_the_formula(source):
    text = source.read_text(encoding="utf-8")
    assert text.count(minutes.PLACE) == 1
    core, extra = minutes.minutes(text, build.missions(source))
    assert core <= 75, "the core of a lab is near 60 minutes: mark the rest as extra"
    assert extra, "what is beyond the core is marked as extra"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_readme_has_the_same_minutes(source):
    core, extra = minutes.minutes(source.read_text(encoding="utf-8"), build.missions(source))
    rows = (build.ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = [row for row in rows if f"(labs/{source.stem}.ipynb)" in row and row.startswith("| ")]
    assert row.endswith(f"| {core} + {extra} |")
