"""The system of record: orders, refunds, outcomes and exposures in SQL, the event log in Parquet.

Comes in: events, from a consumer group of its own. Goes out: tables (SQLite, PostgreSQL by URL) and
`var/record/events/day=…/part-*.parquet`, each event once whatever was delivered how often in which order. Called by
`pipelines` (`tillwise record`) and read by `features/data`: what was collected today is in tonight's training.
"""

__all__: list[str] = []
