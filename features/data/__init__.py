"""The data door: a shop's own tables in, validated contract tables out.

Comes in: Parquet, CSV or SQL, mapped by `configs/datasets/NAME.yaml`. Goes out: `var/data/*.parquet`, what
was rejected and why, `ingest.json`. Called by `pipelines` as `features.data.ingest.ingest`; nothing is
re-exported here, so that importing this folder loads neither pandas nor Great Expectations.
"""

__all__: list[str] = []
