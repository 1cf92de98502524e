"""The prose of the labs is kept in Markdown, a file for each lab; what a section is, and what is refused."""

from pathlib import Path

import pytest

from lablib import texts

SOURCE = """For authors.

## 01.producer hint 1

One line
and the next.

A second paragraph:

    code = "as it  is"

## question 01.spike
How long?
- four: No: it takes
  longer.

- as long as the spike: Yes.
"""


def test_lines_of_a_paragraph_are_joined_and_code_stays():
    hint = texts.parse(SOURCE)["01.producer hint 1"]
    assert hint.text == 'One line and the next.\nA second paragraph:\n    code = "as it  is"'
    assert hint.entries == {}


def test_items_have_names():
    question = texts.parse(SOURCE)["question 01.spike"]
    assert question.text == "How long?"
    assert question.entries == {"four": "No: it takes longer.", "as long as the spike": "Yes."}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("## a\nx\n## a\ny\n", "stands twice"),
        ("## a\n- only words\n", "needs a name"),
        ("## a\n- one: x\n- one: y\n", "needs a name of its own"),
    ],
)
def test_what_cannot_be_meant_is_refused(source, words):
    with pytest.raises(ValueError, match=words):
        texts.parse(source)


def test_a_missing_section_names_its_key():
    with pytest.raises(KeyError, match=r"no section '01\.nothing'"):
        texts.section("01.nothing")
    assert texts.text("01.nothing", "") == ""
    assert texts.numbered("01.nothing hint") == ()


def test_every_file_can_be_read_and_its_keys_name_its_lab():
    for path in Path(texts.__file__).parent.glob("*.md"):
        for key in texts.parse(path.read_text(encoding="utf-8"), path.name):
            assert texts._LAB.search(key)[1] == path.stem, key


def test_a_guess_about_a_time_asks_for_the_time_that_its_cell_shows():
    cells = (Path(__file__).parents[1] / "solutions/01-sqs.py").read_text()
    shown = cells.partition('predict("01.not-deleted")')[2].partition("# %% [markdown]")[0]
    assert "cloud.advance(30)  # half a minute" in shown
    assert "half a minute later?" in texts.text("question 01.not-deleted")
