"""A learner can follow a "Try it" as it is written: what it names in italics is on the page, and a test follows it."""

import importlib
import re

import pytest
from browser.followers import FOLLOWERS
from notebooks import build

from lablib.scenarios import Scenario

BROWSER = build.ROOT / "tests" / "browser" / "test_try_its.py"  # some labs have a test of their own there
OWN = {"07": ("test_failover", "test_cluster")}  # a lab with two lists has a file of its own, and a test for each
TOOLS = {"Lanes", "Curves", "More", "What if"}
LISTS = re.compile(r"^# ### Try it[^\n]*\n((?:#[^\n]*\n)*)", re.MULTILINE)


def named(source):
    """The names in italics in the numbered items of all "Try it" of a lab."""
    items = (
        line for found in LISTS.findall(source) for line in re.split(r"\n(?=# \d+\. )", found) if line[2:3].isdigit()
    )
    for item in items:
        text = re.sub(r"\n# +", " ", item.split("\n#\n")[0])
        yield from re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)


def on_the_page(lab):
    """The labels of settings and actions of a lab's scenarios."""
    scenarios = importlib.import_module(f"lablib.scenarios.lab{lab}").SCENARIOS.values()
    for scenario in scenarios:
        assert issubclass(scenario, Scenario)
        yield from (spec.label for spec in scenario.params().values())
        changed = [
            {name: one} for name, p in scenario.params().items() for one in p.choices or [True] * (p.kind is bool)
        ]
        for values in ({}, *changed):
            yield from (action.label for action in scenario(**values).actions())


@pytest.mark.parametrize("source", build.sources(build.ROOT), ids=lambda path: path.stem)
def test_what_a_try_it_names_is_on_the_page(source):
    wanted = set(named(source.read_text(encoding="utf-8")))
    assert wanted <= {*on_the_page(source.stem.split("-")[0]), *TOOLS}


def numbers(source):
    """The numbers of the items of all "Try it" of a lab."""
    return [
        int(number) for found in LISTS.findall(source) for number in re.findall(r"^# (\d+)\. ", found, re.MULTILINE)
    ]


@pytest.mark.parametrize("source", build.sources(build.ROOT), ids=lambda path: path.stem)
def test_each_item_is_followed_in_the_browser(source):
    """As it is written (`tests/browser/followers.py`), so that one that cannot be done fails a test."""
    found, lab = numbers(source.read_text(encoding="utf-8")), source.stem.split("-")[0]
    if lab in OWN:
        followers = BROWSER.with_name(f"test_try_its_{lab}.py").read_text(encoding="utf-8")
        assert found.count(1) == len(OWN[lab]) and all(f"def {name}(" in followers for name in OWN[lab])
        return
    assert len(set(found)) == len(found), "two items have one number"
    if lab in FOLLOWERS or f"def test_lab_{lab}(" not in BROWSER.read_text(encoding="utf-8"):
        assert sorted(FOLLOWERS.get(lab, {})) == sorted(found)


def test_the_names_are_found():
    items = "# 1. Set *a setting* to 3,\n#    and **do** *that*.\n# 2. *More*\n"
    text = f"# ### Try it: these\n#\n{items}#\n# ## 2. *Not this*\n"
    assert list(named(text)) == ["a setting", "that", "More"]
    assert numbers(text) == [1, 2]
