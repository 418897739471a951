"""The report of a run: ``collect`` its numbers, ``render_report`` them as one HTML file."""

from igtool.report.data import (
    ColumnCoverage,
    ListSummary,
    Oddity,
    ReportData,
    RunInfo,
    ValueOrigin,
)
from igtool.report.inputs import list_summary, value_origins
from igtool.report.page import render_report
from igtool.report.queries import collect

__all__ = [
    "ColumnCoverage",
    "ListSummary",
    "Oddity",
    "ReportData",
    "RunInfo",
    "ValueOrigin",
    "collect",
    "list_summary",
    "render_report",
    "value_origins",
]
