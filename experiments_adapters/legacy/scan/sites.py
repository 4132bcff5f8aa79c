"""A directory's name → customer, region, zone and task, as far as they are known.

`sampyo-gimhae-bct` is read against the sites of the registry and of the scenarios. What no known
site explains stays TODO, with a hint: a wrong site would put a model under another plant's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError
from scenario.files import read_scenario_text
from scenario.yaml_tree import read_document

from .around.data_files import TASKS
from .results import TODO, FoundSite, KnownSite, is_todo

REGIONS = (
    *("seoul", "busan", "daegu", "incheon", "gwangju", "daejeon", "ulsan", "sejong", "suwon"),
    *("gimhae", "changwon", "pohang", "gumi", "gyeongju", "yeosu", "gwangyang", "gunsan", "jeonju"),
    *("cheonan", "asan", "dangjin", "seosan", "cheongju", "pyeongtaek", "hwaseong", "ansan"),
    *("siheung", "anyang", "yongin", "icheon", "wonju", "donghae", "samcheok", "geoje", "jeju"),
    *("서울", "부산", "대구", "인천", "광주", "대전", "울산", "세종"),
    *("김해", "창원", "포항", "구미", "여수", "광양", "군산", "천안"),
    *("아산", "당진", "서산", "청주", "평택", "화성", "안산", "거제"),
)
"""Industrial cities: a word of a directory's name that is one of them is the region."""
_IGNORED = re.compile(
    r"v?\d+(?:\.\d+)?|backup|bak|old|new|copy|test|tmp|temp|final|exp|experiments?|project|model|"
    r"yolo\w*|detect(?:ion|or)?|최종|백업|사본|테스트|실험|프로젝트",
    re.I,
)
_PLANT = re.compile(r"(?:plant|공장)\d*|제?\d+공장", re.I)


@dataclass
class KnownSites:
    """The sites that are known already.

    Args:
        sites: those of the registry first, then those of scenarios.
    """

    sites: list[KnownSite] = field(default_factory=list)

    @classmethod
    def from_files(cls, files: Iterable[Path]) -> KnownSites:
        """The sites of registries and scenarios; a file that can't be read adds none."""
        known = cls()
        for file in files:
            try:
                values = read_document(read_scenario_text(file, "it", 8 << 20), str(file)).values
            except ConfigurationError:
                continue
            entries = values.get("experiments")
            found = entries.values() if isinstance(entries, Mapping) else [values]
            known.sites += [site for each in found if (site := _site_of(each))]
        return known

    def read(self, name: str) -> FoundSite:
        """Reads a directory's name."""
        words = _words(name)
        # The longest known customer, wherever it stands.
        names = {each.customer for each in self.sites}
        customer, rest = _take(words, sorted(names, key=lambda name: (-len(_words(name)), name)))
        mine = [each for each in self.sites if each.customer == customer]
        region, rest = _take(rest, [*(each.region for each in mine), *REGIONS,
                                    *(each.region for each in self.sites)])  # fmt: skip
        zone, rest = _take(rest, [each.zone for each in mine if each.zone != "full"])
        plant = next((word for word in rest if _PLANT.fullmatch(word)), "")
        rest = [word for word in rest if word != plant]
        task = next((task for word in rest for task, names in TASKS.items() if word in names), "")
        if not task:  # a task of one's own that a known site has
            task, rest = _take(rest, [each.task for each in self.sites])
        else:
            rest = [word for word in rest if word not in TASKS[task]]
        rest = [word for word in rest if not _IGNORED.fullmatch(word)]
        given = {"customer": customer, "region": region, "plant": plant, "zone": zone, "task": task}
        site = KnownSite(**{"customer": TODO} | {key: each for key, each in given.items() if each})
        return FoundSite(**vars(site), hints=tuple(_hints(given, mine, "-".join(rest))))


def _hints(given: Mapping[str, str], mine: list[KnownSite], rest: str) -> Iterator[tuple[str, str]]:
    """What might stand in the fields that a name leaves open."""
    customer, zone = given["customer"], given["zone"]
    if not customer and rest:
        yield "customer", f"perhaps {rest}"
    regions = sorted({each.region for each in mine if not is_todo(each.region)})
    if customer and regions and not given["region"]:
        yield "region", f"{customer} is known in {', '.join(regions)}"
    if given["task"]:
        if customer and rest:
            yield "zone", f"perhaps {rest}"
        return
    there = {each.task for each in mine if not is_todo(each.task) and zone in ("", each.zone)}
    if there:
        yield "task.type", f"known there: {', '.join(sorted(there))}"
    elif rest and customer:
        yield "task.type", f"perhaps {rest}"


def _site_of(values: object) -> KnownSite | None:
    if not isinstance(values, Mapping):
        return None
    site, task = values.get("site"), values.get("task")
    if not isinstance(site, Mapping) or not isinstance(site.get("customer"), str):
        return None
    if is_todo(site["customer"]):
        return None
    kind = task.get("type") if isinstance(task, Mapping) else None
    fields = {key: str(site[key]) for key in ("region", "plant", "zone") if site.get(key)}
    return KnownSite(site["customer"], **fields, task=kind if isinstance(kind, str) else TODO)


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFC", name).casefold()
    return [word for word in re.split(r"[-_\s.,()\[\]+]+", plain) if word]


def _take(words: list[str], known: Iterable[str]) -> tuple[str, list[str]]:
    """The first known name of one or more words among them, and the words without it."""
    for name in dict.fromkeys(known):
        parts = _words(name)
        if is_todo(name) or not parts:
            continue
        for start in range(len(words) - len(parts) + 1):
            if words[start : start + len(parts)] == parts:
                return name, words[:start] + words[start + len(parts) :]
    return "", words
