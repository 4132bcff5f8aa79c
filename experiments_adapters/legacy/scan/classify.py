"""Facts → what a script does, how sure that is, and why, in one sentence.

What counts is what happens when the script runs. So one that trains and then exports trains, one
that exports only where the engine is missing and then watches a camera infers, and functions that
nothing calls count little. The name is a hint where the code leaves a choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .code_facts import MODULE, Evidence, Facts
from .meanings.libraries import LIBRARIES, OF_LABELS, RUNTIMES
from .results import KINDS, Kind
from .script_names import NameFacts, read_name
from .source import Source

MENDED, UNPARSED, BY_NAME = 0.6, 0.5, 0.4
"""How sure at most: code that had to be mended, that could not be parsed, that shows nothing."""

SHOWING = frozenset(("cv2", "PIL", "streamlit", "gradio", "flask", "fastapi", "supervision"))
STRONG = 0.95
WORDS = {"train": "trains", "infer": "infers", "quant": "quantises or converts"}


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    confidence: float
    why: str


@dataclass(frozen=True)
class Neighbours:
    """Facts about a script from the other scripts of its directory.

    Args:
        imported_by: names of scripts that import it.
        helpers: modules of the directory that it imports → their facts.
    """

    imported_by: tuple[str, ...] = ()
    helpers: Mapping[str, Facts] | None = None


def classify(name: str, source: Source, facts: Facts, neighbours: Neighbours) -> Verdict:
    """Decides on the kind of one script.

    Args:
        name: its file name.
    """
    if not name.lower().endswith((".py", ".ipynb")):
        return Verdict("other", 0.9, "It is a shell script; what it starts is listed by itself.")
    if not source.is_code:
        return Verdict("other", 0.9, f"Not read: {source.doubt}.")
    named = read_name(name)
    notebook = name.lower().endswith(".ipynb")
    found = _complete(_own(facts, notebook), facts.modules)
    if facts.is_test and not facts.has_main:
        return Verdict("other", 0.8, "It holds tests.")
    if not notebook and not facts.acts and source.tree is not None:
        if neighbours.imported_by:
            by = ", ".join(neighbours.imported_by[:3])
            return Verdict("other", 0.92, f"It only defines things that {by} import(s).")
        does = f" (one of them {WORDS[found[0].meaning.kind]})" if found else ""
        return Verdict("other", 0.7, f"It defines functions{does} but running it does nothing.")
    borrowed = not found
    if borrowed:
        found = _complete(list(_through_helpers(facts, neighbours)), frozenset())
    verdict = _decide(found, named) if found else _without_evidence(facts, source, named)
    for doubtful in (borrowed, neighbours.imported_by):
        if found and doubtful:
            verdict = replace(verdict, confidence=verdict.confidence * 0.9)
    return _doubted(verdict, source)


# --- evidence -----------------------------------------------------------------------------------


def _own(facts: Facts, notebook: bool) -> list[Evidence]:
    """The evidence that runs when the script does; all of it where names can't tell."""
    reachable = facts.reachable({MODULE}) | {MODULE}
    alive = [each for each in facts.evidence if each.place in reachable]
    return alive if alive or (facts.acts and not notebook) else list(facts.evidence)


def _complete(found: list[Evidence], modules: frozenset[str]) -> list[Evidence]:
    """Without what means nothing alone: a backward needs a step, an eval() a no_grad.

    A network run without learning is what every kind of script does; it counts where nothing else
    does. So does a detector that is handed on to a picture or a page, and a model that is built
    and neither written nor run.
    """
    parts = {each.meaning.part for each in found}
    kept = [each for each in found if not each.meaning.part]
    if {"backward", "step"} <= parts:
        kept += [each for each in found if each.meaning.part == "backward"]
    if not kept:
        kept = [each for each in found if each.meaning.part == "built"]
    if not kept and {"eval", "no_grad"} <= parts:
        kept = [each for each in found if each.meaning.part == "no_grad"]
    if not kept and SHOWING & {module.partition(".")[0] for module in modules}:
        kept = [each for each in found if each.meaning.part == "made"]
    return kept


def _through_helpers(facts: Facts, neighbours: Neighbours) -> Iterator[Evidence]:
    """The evidence in the functions that it takes from its neighbours."""
    for module, helper in (neighbours.helpers or {}).items():
        used = facts.uses.get(module, frozenset())
        places = helper.reachable(used)
        everything = "*" in used
        yield from (e for e in helper.evidence if e.place in places or everything)


# --- the decision -------------------------------------------------------------------------------


def _decide(found: list[Evidence], named: NameFacts) -> Verdict:
    strength: dict[str, float] = {}
    for each in found:
        weight = each.meaning.strength * (0.6 if each.guarded else 1.0)
        strength[each.meaning.kind] = max(strength.get(each.meaning.kind, 0.0), weight)
    kind, clear = _kind_of(found, strength, named)
    proof = max(
        (each for each in found if each.meaning.kind == kind),
        key=lambda each: (each.meaning.strength, each.place == MODULE, -each.line),
    )
    confidence = 0.5 + 0.45 * strength[kind] if clear else 0.4 + 0.3 * strength[kind]
    if kind in named.hints:
        confidence += 0.03
    elif named.hints:
        confidence -= 0.12
    others = [WORDS[other] for other in strength if other != kind]
    beside = f", and also {' and '.join(others)}" if others else ""
    at = f" (line {proof.line})" if proof.line else ""
    return Verdict(kind, min(confidence, 0.98), f"It {proof.meaning.said}{at}{beside}.")


def _kind_of(
    found: list[Evidence], strength: Mapping[str, float], named: NameFacts
) -> tuple[Kind, bool]:
    """The type, and whether the code alone decides it."""
    if len(strength) == 1:
        return found[0].meaning.kind, True
    quantiser = strength.get("quant", 0.0) >= STRONG
    if "train" in strength:
        if quantiser and "quant" in named.hints:  # quantisation-aware training, called so
            return "quant", True
        # With a branch for it, it still is the script that trains.
        return "train", not quantiser and (not named.hints or "train" in named.hints)
    if quantiser and "infer" not in named.hints:
        return "quant", True
    unguarded = any(e.meaning.kind == "quant" and not e.guarded for e in found)
    if not unguarded:
        return "infer", True
    hints = named.hints & {"infer", "quant"}
    if hints == {"infer"}:
        return "infer", strength["infer"] >= strength["quant"]
    return "quant", hints == {"quant"}


def _without_evidence(facts: Facts, source: Source, named: NameFacts) -> Verdict:
    """No call says anything: what the imports and the name say."""
    roots = {module.partition(".")[0] for module in facts.modules}
    libraries, runtimes = sorted(roots & LIBRARIES), sorted(roots & RUNTIMES)
    hint = next((kind for kind in KINDS if {kind} == named.hints), None)
    if runtimes and hint in (None, "infer") and source.tree is not None:
        return Verdict("infer", 0.5, f"It imports {runtimes[0]}, which only runs networks.")
    of_labels = sorted(roots & OF_LABELS | {m for m in facts.modules if "data.converter" in m})
    if hint == "quant" and of_labels:
        return Verdict("other", 0.6, f"It imports {of_labels[0]}: it converts labels, no network.")
    if hint and libraries:
        why = f"Its name says {hint} and it imports {libraries[0]}, but no call was recognised."
        return Verdict(hint, BY_NAME, why)
    if hint and source.tree is None:
        return Verdict(hint, BY_NAME - 0.1, f"Only its name says {hint}.")
    if libraries:
        return Verdict("other", 0.6, f"It imports {libraries[0]}, but trains and infers nothing.")
    return Verdict("other", 0.85 if not hint else 0.7, "It calls no detector library.")


def _doubted(verdict: Verdict, source: Source) -> Verdict:
    most = UNPARSED if source.tree is None else MENDED if source.doubt else 1.0
    why = verdict.why.rstrip(".")
    if source.doubt:
        why += f"; {source.doubt}"
    return Verdict(verdict.kind, round(min(verdict.confidence, most), 2), f"{why}.")
