"""A learner can follow a "Try it" as it is written: what it names in italics is on the page."""

import importlib
import re

import pytest
from notebooks import build

from lablib.scenarios import Scenario

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
        for one in (scenario(), *(scenario(**{name: True}) for name, p in scenario.params().items() if p.kind is bool)):
            yield from (action.label for action in one.actions())


@pytest.mark.parametrize("source", build.sources(build.ROOT), ids=lambda path: path.stem)
def test_what_a_try_it_names_is_on_the_page(source):
    wanted = set(named(source.read_text(encoding="utf-8")))
    assert wanted <= {*on_the_page(source.stem.split("-")[0]), *TOOLS}


def test_the_names_are_found():
    items = "# 1. Set *a setting* to 3,\n#    and **do** *that*.\n# 2. *More*\n"
    text = f"# ### Try it: these\n#\n{items}#\n# ## 2. *Not this*\n"
    assert list(named(text)) == ["a setting", "that", "More"]
