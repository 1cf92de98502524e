"""The register of AWS's figures as a table: the course notes of 2023 beside AWS today, each with its source."""

from __future__ import annotations

import pandas as pd

from lablib.aws.quotas import FIGURES


def limits(service: str | None = None, changed: bool = False) -> pd.DataFrame:
    """Every figure the lab uses. `service`: only that service's ("sqs"). `changed`: only those that differ since 2023.

    A figure whose source begins with "assumed" is the model's own; `Cloud(assume={figure: value})` changes it.
    Raises ValueError for a service without figures.
    """
    services = sorted({name.split(".")[0] for name in FIGURES})
    if service is not None and service not in services:
        raise ValueError(f"service={service!r}: must be one of {', '.join(map(repr, services))}, or None for all")
    chosen = [
        f for f in FIGURES.values() if service in (None, f.name.split(".")[0]) and (not changed or f.notes != f.today)
    ]
    rows = [(f.name, f.notes, f.today, f.unit, f"{'assumed: ' * f.assumed}{f.source}") for f in chosen]
    return pd.DataFrame(rows, columns=["figure", "notes 2023", "today", "unit", "source"]).set_index("figure")
