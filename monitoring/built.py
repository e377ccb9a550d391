"""The status of what is built: data, features, the champion model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from configs import Settings
from configs.errors import RegistryFailedError
from configs.home import read_json
from configs.moments import moment
from monitoring.area import Area

BUILD = "tillwise run"


def data_area(settings: Settings) -> Area:
    """Return which data are in use, their window and counts."""
    record = read_json(settings.work.data / "ingest.json")
    if record is None:
        return Area("data", "not built", fix=BUILD)
    facts = {
        "dataset": record["dataset"],
        "title": record["title"],
        "first_order_at": record["first_order_at"],
        "last_order_at": record["last_order_at"],
        "clock": record["clock"],
        "counts": record["counts"],
        "rejected": {table: sum(reasons.values()) for table, reasons in record["rejected"].items()},
        "fingerprint": record["fingerprint"],
    }
    return Area("data", "ok", facts)


def features_area(settings: Settings) -> Area:
    """Return up to which moment the features know the past, and whether they were made from the present data."""
    record = read_json(settings.work.features / "features.json")
    if record is None:
        return Area("features", "not built", fix=BUILD)
    data = read_json(settings.work.data / "ingest.json")
    facts: dict[str, Any] = {"as_of": moment(record["as_of"]), "rows": record["rows"]}
    if data is None or data["fingerprint"] != record["data"]:
        return Area("features", "stale", facts | {"made_from": "other data than ingested now"}, fix="tillwise features")
    newest = datetime.fromisoformat(data["last_order_at"]).timestamp()
    facts["days_behind_newest_order"] = round((newest - record["as_of"]) / 86_400, 1)
    return Area("features", "ok", facts)


def model_area(settings: Settings) -> Area:
    """Return which version is champion and how it did when it was evaluated."""
    if settings.registry.uri is None and not (settings.work.registry / "mlflow.db").exists():
        return Area("model", "not built", fix=BUILD)
    from training.registry import champion, registry_client
    from training.registry_trouble import in_registry

    try:
        with in_registry(settings):
            held = champion(settings)
            metrics = {} if held is None else registry_client(settings).get_run(held.run_id).data.metrics
    except RegistryFailedError as error:
        return Area("model", "failing", {"trouble": str(error)}, fix="see the sentence")
    if held is None:
        return Area("model", "not built", {"registered": settings.registry.model_name}, fix="tillwise promote")
    facts = {
        "champion": f"{settings.registry.model_name} version {held.version}",
        "package": held.tags["package"],
        "registered_at": moment(held.creation_timestamp / 1_000),
        "decision": held.tags.get("promoted_champion", "not recorded"),
        "hit_rate": hit_rates(metrics),
    }
    evaluation = read_json(settings.work.reports / "evaluation.json")
    if evaluation is not None and evaluation["model_version"] != held.tags["package"]:
        return Area("model", "stale", facts | {"newest_package": evaluation["model_version"]}, fix="tillwise promote")
    return Area("model", "ok", facts)


def hit_rates(metrics: dict[str, float]) -> dict[str, float]:
    """Return the hit rate by arm out of a run's metrics, which are named variant.arm.metric."""
    rates = {}
    for name, value in metrics.items():
        variant, arm, metric = name.split(".")
        if (variant, metric) == ("loo", "hit_rate"):
            rates[arm] = round(value, 4)
    return rates
