"""Proof that a promotion asks for: what a release run really judged.

A version's tags only point to it. Tags can be written by anybody who reaches the registry, and a
verdict may have been given to other files than those that lie there now; so the run itself is
read: it exists, has finished, is a release, and its result names this version with these files,
judged against the present champion, and passed by every gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...contracts.detector_package import DetectorPackage, IdentityRule
from ...contracts.errors import SourceError
from ...contracts.releases import PASS, ReleaseDecision, VariantDecision
from ...contracts.results import RunRecord
from ...contracts.run_status import RunStatus

FINISHED = RunStatus.FINISHED
RELEASE_STAGE = "release"


@dataclass(frozen=True)
class ReleaseEvidence:
    """A release run, as far as a promotion rests on it."""

    run_id: str
    status: str
    stage: str
    variants: tuple[VariantDecision, ...]


ReadEvidence = Callable[[str], ReleaseEvidence]
"""Run id → what that run judged. Raises SourceError: no such run, or it has no release's result."""


def read_evidence(run: RunRecord, table: Any) -> ReleaseEvidence:
    """The evidence in a run and its results/release.json.

    Args:
        table: the file's content; explanation.as_dict wrote it.

    Raises:
        SourceError: it is no release's result.
    """
    try:
        variants = tuple(map(VariantDecision.from_dict, table["variants"]))
        if not all(each.gates for each in variants):
            raise ValueError("a variant that no gate has judged")
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise SourceError(
            f"run {run.run_id} has no result of a release that can be read ({exc!r})"
        ) from exc
    return ReleaseEvidence(run.run_id, run.status, run.tags.get("guardianflow.stage", ""), variants)


def own_evidence(run_id: str, decision: ReleaseDecision) -> ReleaseEvidence:
    """The evidence of a release that promotes its own winner, before its run has ended."""
    return ReleaseEvidence(run_id, FINISHED, RELEASE_STAGE, decision.variants)


def evidence_refusal(
    evidence: ReleaseEvidence, name: str, version: str, champion: str, package: DetectorPackage
) -> str:
    """The reason why the run does not allow the promotion; '' where it does.

    Args:
        name: slash or dot form.
        champion: the present one's version; '' where there is none.
        package: the version's files as they lie in the registry now, verified.
    """
    run = f"run {evidence.run_id}"
    if evidence.stage != RELEASE_STAGE:
        return f"{run}, which its verdict names, is no release but '{evidence.stage or 'unknown'}'"
    if evidence.status != FINISHED:
        return f"the release that judged it ({run}) is {evidence.status}, not {FINISHED}"
    shown = name.replace(".", "/")
    wanted = (shown, version)
    judged = [each for each in evidence.variants if (each.model_name, each.version) == wanted]
    if len(judged) != 1:
        return f"{run}, which its verdict names, did not judge it"
    (mine,) = judged
    if mine.outcome != PASS:
        return f"its tags say '{PASS}', but the release that judged it ({run}) says {mine.outcome}"
    if mine.champion_version != champion:
        then, now = (f"v{v}" if v else "no champion" for v in (mine.champion_version, champion))
        return f"{run} compared it with {then}, not with {now}"
    # Results of earlier releases name no identity; models of those days have their files' alone.
    unnamed = not mine.digest and package.verified_by is IdentityRule.FILES
    if mine.digest != package.digest and not unnamed:
        return (
            f"{run} judged other files or another description (sha256 {mine.digest or 'unknown'}) "
            f"than those registered now ({package.digest})"
        )
    return ""
