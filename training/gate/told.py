"""Checks of what was found out before: the evaluation, the bias audit, the trial, what happened when it served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from configs.gating import GateSettings
from training.gate.verdict import Check


def beats_arms(evaluation: Mapping[str, Any], demanded: Sequence[str]) -> Check:
    """Check that the hit rate's 95 % interval lies above that of every arm that is demanded.

    Args:
        evaluation: `evaluation.json` of the package. demanded: the setting `registry.beat_arms`.
    """
    arms = evaluation["variants"]["loo"]["arms"]
    low, high = arms["model"]["hit_rate"]["ci95"]
    objections = []
    for arm in demanded:
        if arm not in arms:
            objections.append(f"it was not compared with {arm}")
        elif low <= (end := arms[arm]["hit_rate"]["ci95"][1]):
            objections.append(f"its hit rate's interval starts at {low:.4f}, not above {arm}'s end at {end:.4f}")
    figures = {arm: arms[arm]["hit_rate"]["ci95"] for arm in ("model", *demanded) if arm in arms}
    names = ", ".join(arm.replace("_", " ") for arm in demanded) or "nothing"
    says = "; ".join(objections) or f"its hit rate's interval lies above that of {names}"
    return Check(
        "simpler arms", not objections, f"{low:.3f} – {high:.3f}", f"above {names}", says, {"hit_rate_ci95": figures}
    )


def audit(evaluation: Mapping[str, Any]) -> Check:
    """Check that the bias audit of the evaluation was made and found nothing that its policy forbids."""
    found = evaluation.get("audit")
    if found is None:
        return Check(
            "audit", False, "none", "passed", "its evaluation holds no bias audit: evaluate and register again"
        )
    findings = list(found["findings"])
    if found["passed"]:
        return Check("audit", True, "passed", "passed", "the bias audit found nothing that its policy forbids")
    says = f"the bias audit did not pass: {' '.join(findings) or 'it does not say why'}"
    return Check("audit", False, f"{len(findings)} findings", "passed", says, {"findings": findings})


def trial(report: Mapping[str, Any] | None, package: str, gate: GateSettings) -> Check:
    """Check that the package was tried in a real service, and answered in time and by itself.

    Args:
        report: content of `trial.json`; None if there is none. package: version of the package.
        gate: the bounds.
    """
    demanded = f"0 errors, at most {gate.trial_fallback_share:.1%} fallbacks, p99 within {gate.trial_p99_ms:g} ms"
    if report is None or report["package"] != package:
        found = "none" if report is None else f"of package {report['package']}"
        says = f"there is no trial of its package {package} through a real service: run `tillwise trial`"
        return Check("trial", False, found, demanded, says)
    if report["trouble"] is not None:
        says = f"the service did not come up with its package: {report['trouble']}"
        return Check("trial", False, "did not start", demanded, says)
    share, p99 = report["fallback_share"], report["latency_ms"]["p99"]
    wrong = []
    if report["errors"]:
        wrong.append(f"{report['errors']} of {report['requests']} calls failed")
    if share > gate.trial_fallback_share:
        wrong.append(f"{share:.1%} of the answers were fallbacks, more than {gate.trial_fallback_share:.1%}")
    if report["answered_by"] != [package]:
        wrong.append(f"answers came from {' and '.join(report['answered_by']) or 'no package'}")
    if p99 is None or p99 > gate.trial_p99_ms:
        wrong.append(f"its p99 was {p99} ms, above {gate.trial_p99_ms:g} ms")
    found = f"{report['errors']} errors, {share:.1%} fallbacks, p99 {p99} ms"
    well = f"all {report['requests']} calls went well"
    says = f"in the trial through a real service {'; '.join(wrong) or well}"
    return Check("trial", not wrong, found, demanded, says, {"sessions": report["sessions"], "p99_ms": p99})


def stepped_back(told: str | None) -> Check:
    """Check that the version was not stepped back from; `told`: the decision that did it, None if there is none."""
    if told is None:
        return Check("standing", True, "good", "not stepped back from", "it was never stepped back from")
    return Check("standing", False, "stepped back from", "not stepped back from", f"it was stepped back from ({told})")
