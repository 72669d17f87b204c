"""Importing this makes every table known. The package itself imports none: the watchdog reads settings without them."""

from models import (  # noqa: F401
    attachments,
    attempts,
    calls,
    calltasks,
    journal_filters,
    kept,
    lines,
    marks,
    online,
    outage_calls,
    outages,
    people,
    places,
    plan_versions,
    reports,
    retention,
    saved_filters,
    shifts,
)
