"""Redshift's quotas, what the model of a warehouse assumes, and its transitions with their words."""

from __future__ import annotations

from lablib.aws.event import WAITING, Event
from lablib.aws.quotas import assumed, quota
from lablib.kernel import Row, Trace

_DATA = "guide: considerations when calling the Amazon Redshift Data API"
QUOTAS = (
    quota("redshift.clusters", 500, 500, "clusters", "guide: quotas and limits"),
    quota("redshift.nodes", 200, 200, "nodes", "guide: quotas and limits"),
    quota("redshift.active_statements", 200, 500, "statements per cluster", _DATA),
    quota("redshift.statement_size", 100_000, 100_000, "bytes", _DATA + " (100 KB)"),
    quota("redshift.batch", 40, 40, "statements", "API: BatchExecuteStatement"),
    quota("redshift.result_retention", 24, 24, "hours", _DATA),
    assumed("redshift.create_time", 180, "s", "creating a cluster; AWS: several minutes", 0, 3600),
    assumed("redshift.delete_time", 120, "s", "deleting a cluster", 0, 3600),
    assumed("redshift.submit_time", 0.1, "s", "until a statement that was submitted is started", 0, 60),
    assumed("redshift.statement_time", 0.4, "s", "a statement", 0, 3600),
    assumed("redshift.copy_time", 2, "s", "a COPY, and the time for its bytes", 0, 3600),
    assumed("redshift.copy_rate", 20_000_000, "bytes/s per node", "how fast COPY loads", 1000, 1e12),
    assumed("redshift.result_page", 1000, "rows", "of one GetStatementResult; AWS pages by size", 1, 100_000),
)


def _loaded(row: Row, trace: Trace) -> str:
    rows, files, size = row.detail
    return f"it loaded {rows} rows of {files} files ({size} bytes) into {row.resource}"


EVENTS = (
    Event("ClusterCreated", "cluster {resource} created by {actor}"),
    Event("ClusterAvailable", "cluster {resource} is available"),
    Event("ClusterDeleting", "cluster {resource} is being deleted by {actor}"),
    Event("ClusterDeleted", "cluster {resource} is gone, with all its tables"),
    Event("StatementSubmitted", "{actor} sent {detail!r} to {resource}", "{actor} sent {message}", state=WAITING),
    Event("StatementStarted", "{resource} began with it", "{resource} works on {message}", holder="works"),
    Event("StatementFinished", "{resource} is done with it", holder="worked", ends="finished", counts="statements"),
    Event(
        "StatementFailed",
        "{resource} could not do it: {detail}",
        holder="worked",
        ends="failed",
        label="SQL error",
        notable="{resource} refuses a statement: {detail}",
        series="all",
    ),
    Event("StatementAborted", "cancelled by {actor}", ends="cancelled"),
    Event("RowsLoaded", _loaded, counts="loaded"),
    Event(
        "LoadFailed",
        lambda row, trace: f"{row.resource} cannot take line {row.detail[1]} of {row.detail[0]}: {row.detail[2]}",
        label="load error",
        notable=lambda row: f"{row.resource} cannot take line {row.detail[1]} of {row.detail[0]}: {row.detail[2]}",
        series="all",
        counts="load errors",
    ),
)
