"""Amazon Redshift: clusters, and the Data API with which SQL runs in them. The warehouse is DuckDB in virtual time."""

from lablib.services.redshift.clusters import Redshift
from lablib.services.redshift.data import RedshiftData

__all__ = ["Redshift", "RedshiftData"]
