"""What a release run really judged: the proof that a promotion asks for.

A version's tags only point to it. Tags can be written by anybody who reaches the registry, and a
verdict may have been given to other files than those that lie there now; so the run itself is
read: it exists, has finished, is a release, and its result names this version with these files,
judged against the present champion, and passed by every gate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...contracts.detector_package import DetectorPackage, IdentityRule
from ...contracts.errors import SourceError
from ...contracts.releases import FAIL, PASS, UNDECIDED, VERDICTS, ReleaseDecision
from ...contracts.results import RunRecord
from ...contracts.run_status import RunStatus

FINISHED = RunStatus.FINISHED
RELEASE_STAGE = "release"


@dataclass(frozen=True)
class JudgedModel:
    """One model of a release's result.

    Args:
        name: as registered, slash form.
        outcome: 'pass', 'fail' or 'undecided', from its gates.
        digest: identity of the files that were measured; '' in results of earlier releases.
        champion_version: what it was compared with; '' where the name had none.
    """

    name: str
    version: str
    outcome: str
    digest: str
    champion_version: str


@dataclass(frozen=True)
class ReleaseEvidence:
    """A release run, as far as a promotion rests on it."""

    run_id: str
    status: str
    stage: str
    models: tuple[JudgedModel, ...]


ReadEvidence = Callable[[str], ReleaseEvidence]
"""Run id → what that run judged. Raises SourceError: no such run, or it has no release's result."""


def read_evidence(run: RunRecord, table: Any) -> ReleaseEvidence:
    """The evidence in a run and its results/release.json.

    Args:
        table: the file's content; ReleaseDecision.to_dict() wrote it.

    Raises:
        SourceError: it is no release's result.
    """
    try:
        models = tuple(_judged(row) for row in table["variants"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise SourceError(
            f"run {run.run_id} has no result of a release that can be read ({exc!r})"
        ) from exc
    return ReleaseEvidence(run.run_id, run.status, run.tags.get("guardianflow.stage", ""), models)


def own_evidence(run_id: str, decision: ReleaseDecision) -> ReleaseEvidence:
    """The evidence of a release that promotes its own winner, before its run has ended."""
    models = tuple(
        JudgedModel(each.model_name, each.version, each.outcome, each.digest, each.champion_version)
        for each in decision.variants
    )
    return ReleaseEvidence(run_id, FINISHED, RELEASE_STAGE, models)


def evidence_refusal(
    evidence: ReleaseEvidence, name: str, version: str, champion: str, package: DetectorPackage
) -> str:
    """Why the run does not allow the promotion; '' where it does.

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
    judged = [each for each in evidence.models if (each.name, each.version) == (shown, version)]
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


def _judged(row: Mapping[str, Any]) -> JudgedModel:
    outcomes = [str(gate["outcome"]) for gate in row["gates"]]
    unknown = [each for each in outcomes if each not in VERDICTS]
    if not outcomes or unknown:
        raise ValueError(f"gates with outcomes {unknown or 'none'}")
    outcome = next((each for each in (FAIL, UNDECIDED) if each in outcomes), PASS)
    return JudgedModel(
        name=str(row["model_name"]),
        version=str(row["version"]),
        outcome=outcome,
        digest=str(row.get("digest", "")),
        champion_version=str(row["champion_version"]),
    )
