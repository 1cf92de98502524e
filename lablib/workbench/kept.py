"""What the workbench remembers in the learner's folder: guesses, missions that were met. A file of JSON for each."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from lablib.files import alone, home, read, whole

GUESSES = "predictions.json"
MISSIONS = "missions.json"


def forget(lab: str) -> None:
    """Forget the guesses and the missions of a lab, such as "01"."""
    for file in (GUESSES, MISSIONS):
        Kept(file).drop(f"{lab}.")


class Kept:
    """The values of one file, by key. A file that cannot be read is empty, one that cannot be written stays as it is:
    nothing that a learner does depends on it.
    """

    def __init__(self, file: str) -> None:
        self._path = home() / file

    def all(self) -> dict[str, Any]:
        """All values."""
        try:
            found = read(self._path)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def put(self, key: str, value: Any) -> None:
        """Store a value. The file is replaced as a whole, so that a crash leaves the old one."""
        with alone(self._path):
            self._write({**self.all(), key: value})

    def drop(self, beginning: str) -> None:
        """Forget the values whose keys begin so."""
        with alone(self._path):
            before = self.all()
            values = {key: value for key, value in before.items() if not key.startswith(beginning)}
            if values != before:
                self._write(values)

    def _write(self, values: dict[str, Any]) -> None:
        with suppress(OSError), whole(self._path) as part:
            part.write_text(json.dumps(values, indent=1), encoding="utf-8")
