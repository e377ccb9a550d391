"""The stage `monitor`: one look at the live model, from what was recorded to what is done about it.

Looks are serialised, and each may be killed at any moment: what is known lies in `var/run/monitor.json` and follows
from the record without it; what was decided lies in an incident before it is done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from configs import Progress, Settings, StageReport
from configs.errors import TillwiseError
from configs.home import read_json, write_json
from configs.provenance import provenance
from monitoring.watch.acting import Sight, go_back, new_incident, raise_incident, unfinished
from monitoring.watch.deciding import OUTCOMES, Choice, Situation, choose
from monitoring.watch.drifting import Course, look_at_inputs
from monitoring.watch.incidents import Incident, now_text
from monitoring.watch.reading import Place, Served, first_answers, newest, newest_answers, told_since
from monitoring.watch.reference import Reference, keep, kept, make_reference, reference_path
from monitoring.watch.tenure import Standing, standing_champion
from monitoring.watch.turn import turn
from monitoring.watch.watching import References, Watch, Watched
from training.wanted import want_retrain

BY = "tillwise monitor"


@dataclass
class _Known:
    """What is known of the present champion, as the last look left it."""

    watch: Watch
    course: Course


@dataclass(frozen=True)
class _Until:
    """Up to when answers count, unix seconds by the service's clock: for what comes of them, and for all else."""

    mature: float
    settled: float


def monitor(settings: Settings, progress: Progress, *, drift: bool = True) -> StageReport:
    """Look at the champion once: judge its figures and its inputs, and do what follows.

    Metrics: "action" ("none", "rollback", "incident", "retrain"), "rule", "why", "version", "package", "figures",
    "incident" (id or None). The same, with where it comes from, goes to var/reports/monitor.json.

    Args:
        settings: work folder, registry, record. progress: told the steps.
        drift: whether inputs are looked at, too, which takes some seconds once enough people have come.

    Raises:
        NotBuiltError: no model is champion. ConfigError, DataError: the record cannot be read. Nothing is done then.
    """
    with turn(settings):
        at = now_text()
        progress.update("opening the registry", 0.1)
        left = unfinished(settings)
        if left is not None:
            progress.update("completing what an earlier look began", 0.5)
            done = go_back(settings, progress, left)
            choice = Choice("rollback" if done.state == "rolled back" else "incident", done.rule, done.why)
            return _report(settings, standing_champion(settings), choice, [], done, at, None)
        return _look(settings, progress, at, drift)


def _look(settings: Settings, progress: Progress, at: str, drift: bool) -> StageReport:
    standing = standing_champion(settings)
    progress.update("reading what was shown and what came of it", 0.2)
    last = newest(settings)
    if last is None:
        return _report(
            settings, standing, Choice("none", "nothing_recorded", "No answer is recorded yet."), [], None, at, None
        )
    known, until = _known(settings, standing, last), _until(settings, last)
    references = _references(settings, standing, known.watch.start, until)
    known.watch.begin(references)
    known.watch.look(settings, standing.package, references, {True: until.mature, False: until.settled})
    figures = known.watch.told(references, settings.monitoring)
    _keep(settings, standing, known)
    choice, trouble = _decide(settings, standing, figures, known.course, until), None
    if drift and choice.act in {"none", "retrain"}:
        progress.update("comparing inputs", 0.6)
        try:
            known.course = look_at_inputs(settings, standing, known.course, until.settled)
        except TillwiseError as error:  # the figures are judged whatever becomes of this
            trouble = error
        choice = _decide(settings, standing, figures, known.course, until)
        _keep(settings, standing, known)
    progress.update("acting", 0.8)
    incident = _act(settings, progress, standing, choice, Sight(figures, known.watch.start, at))
    if choice.act == "retrain":
        known.course = replace(known.course, asked_at=time.time())
        _keep(settings, standing, known)
    report = _report(settings, standing, choice, figures, incident, at, references)
    if trouble is not None:
        raise trouble
    return report


def _decide(
    settings: Settings, standing: Standing, figures: Sequence[Watched], course: Course, until: _Until
) -> Choice:
    watch, now = settings.monitoring.watch, time.time()
    onsets = [
        one.onset for one in figures if one.verdict == "breach" and one.name in OUTCOMES and one.onset is not None
    ]
    return choose(
        Situation(
            figures,
            # In the later half of the breach: what comes early in it may be of answers before.
            tells_outcomes=not onsets or told_since(settings, (min(onsets) + until.mature) / 2) > 0,
            earlier=standing.back_to is not None,
            since_rollback=None if standing.rolled_back_at is None else now - standing.rolled_back_at,
            drifted=course.in_a_row >= watch.drift.times,
            asked=course.asked_at is not None and now - course.asked_at < watch.drift.again_hours * 3600,
        ),
        watch,
    )


def _act(settings: Settings, progress: Progress, standing: Standing, choice: Choice, sight: Sight) -> Incident | None:
    if choice.act == "incident":
        return raise_incident(settings, standing, choice, sight)
    if choice.act == "retrain":
        want_retrain(settings.work, _why_retrain(settings, choice), BY)
    if choice.act != "rollback":
        return None
    if standing_champion(settings).name != standing.name:  # somebody was faster
        return None
    return go_back(settings, progress, new_incident(settings, standing, choice, sight))


def _why_retrain(settings: Settings, choice: Choice) -> str:
    drift = read_json(settings.work.reports / "drift.json")
    names = ", ".join(name for name, column in drift["columns"].items() if column["drifted"])
    return f"{choice.why} {drift['share']:.0%} of columns drifted: {names}. Report: {drift['report']}"


def _until(settings: Settings, last: float) -> _Until:
    """Return up to when answers count: no further than the record has come, which may be behind."""
    known = last if _is_historical(settings) else min(last, time.time())
    watch = settings.monitoring.watch
    return _Until(known - watch.maturity_minutes * 60, known - watch.settle_seconds)


def _is_historical(settings: Settings) -> bool:
    """Return whether the service counts time on from the end of old data, so that no other clock compares with it."""
    data = read_json(settings.work.data / "ingest.json")
    return data is not None and data["clock"] == "historical"


def _known(settings: Settings, standing: Standing, last: float) -> _Known:
    told = read_json(_state_path(settings))
    if told is not None and told["tenure"] == standing.name:
        return _Known(Watch.of(told["watch"]), Course.of(told["course"]))
    start = Place(standing.tenure.since)
    if _is_historical(settings):  # who takes over for the first time has no earlier answers; others begin now
        start = Place(0.0) if standing.first else Place(last)
    return _Known(Watch(start), Course(start))


def _keep(settings: Settings, standing: Standing, known: _Known) -> None:
    content = {"tenure": standing.name, "watch": known.watch.as_dict(), "course": known.course.as_dict()}
    write_json(_state_path(settings), content)


def _state_path(settings: Settings) -> Any:
    return settings.work.run / "monitor.json"


def _references(settings: Settings, standing: Standing, start: Place, until: _Until) -> References:
    """Return what figures are held against; what is made once stays."""
    watch = settings.monitoring.watch
    earlier_path = reference_path(settings, f"{standing.name}-earlier")
    own_path = reference_path(settings, f"{standing.name}-own")
    earlier, own = kept(earlier_path), kept(own_path)
    if earlier is None and standing.good is not None and standing.good_package is not None:
        # Answers whose outcomes had time to come before the champion took over: the same whenever the first look is.
        before = start.at - watch.maturity_minutes * 60 if start.at > 0 else until.mature
        answers = None
        if until.mature >= before:
            answers = newest_answers(settings, standing.good_package, before, watch.reference_people)
        if answers is not None:
            earlier = _kept_if_enough(
                settings, earlier_path, make_reference(standing.good.version, answers, settings.monitoring)
            )
    if own is None:
        served = Served(standing.package, start, until.mature)
        answers = first_answers(settings, served, watch.first_people)
        if answers is not None:
            own = _kept_if_enough(
                settings, own_path, make_reference(standing.tenure.version, answers, settings.monitoring)
            )
    return References(earlier, own)


def _kept_if_enough(settings: Settings, path: Any, reference: Reference) -> Reference | None:
    if reference.people < settings.monitoring.watch.least_people:
        return None
    keep(path, reference)
    return reference


def _report(
    settings: Settings,
    standing: Standing,
    choice: Choice,
    figures: Sequence[Watched],
    incident: Incident | None,
    at: str,
    references: References | None,
) -> StageReport:
    held = () if references is None else (references.earlier, references.own)
    told: dict[str, Any] = {
        "action": choice.act,
        "rule": choice.rule,
        "why": choice.why,
        "version": standing.tenure.version,
        "package": standing.package,
        "looked_at": at,
        "figures": [asdict(one) for one in figures],
        "references": [{"of": one.of, "people": one.people, "answers": one.answers} for one in held if one is not None],
        "incident": None if incident is None else incident.id,
    }
    data = read_json(settings.work.data / "ingest.json")
    head = provenance(BY, "no data set ingested" if data is None else str(data["fingerprint"]))
    write_json(settings.work.reports / "monitor.json", head | told)
    notes = [f"version {standing.tenure.version}: {choice.act} ({choice.rule}): {choice.why}"]
    if incident is not None:
        notes.append(f"incident {incident.id}: {incident.state}")
    seen = max((one.observations for one in figures), default=0)
    return StageReport("monitor", read={"observations": seen}, notes=notes, metrics=told)
