"""The register of AWS's quotas as a table: the course notes of 2023 beside AWS today, each with its source."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lablib.services import quotas

if TYPE_CHECKING:
    import pandas as pd


@cache
def _table() -> type[pd.DataFrame]:
    """The class of the table: pandas takes as long to import as the lab."""
    import pandas as pd

    class Limits(pd.DataFrame):
        """The table as a notebook shows it: whole sources, and numbers that can be read."""

        @property
        def _constructor(self) -> type[pd.DataFrame]:
            return Limits

        def _repr_html_(self) -> str:
            def words(value: object) -> str:
                return f"{value:,}".removesuffix(".0") if isinstance(value, (int, float)) else str(value)

            numbers = [name for name in ("course 2023", "today") if name in self]
            table = pd.DataFrame(self).assign(**{name: self[name].map(words) for name in numbers})
            with pd.option_context("display.max_colwidth", None):
                return str(table.rename_axis(None).to_html(border=0, max_rows=None))

    return Limits


def limits(service: str | None = None, changed: bool = False) -> pd.DataFrame:
    """Every quota the lab uses. `service`: only that service's ("sqs"). `changed`: only those that differ since 2023.

    A quota whose source begins with "assumed" is the model's own; `Cloud(assume={quota: value})` changes it.
    Raises ValueError for a service without quotas.
    """
    known = sorted({quota.service for quota in quotas().values()})
    if service is not None and service not in known:
        raise ValueError(f"service={service!r}: must be one of {', '.join(map(repr, known))}, or None for all")
    chosen = quotas(service) if service else quotas()
    rows = [
        (q.name, q.course, q.today, q.unit, f"{'assumed: ' * q.assumed}{q.source}")
        for q in chosen.values()
        if not changed or q.course != q.today
    ]
    return _table()(rows, columns=["quota", "course 2023", "today", "unit", "source"]).set_index("quota")
