"""Names of one shape → which of their fields are camera, recording and frame, if they tell it.

A scheme is found only where the names themselves say so: a word for cameras, clips or videos, a
day, an address, or numbers that count up in even steps within each group. Words alone ('gate_0001',
'helmet_0001') may be places, classes or batches: such a scheme counts only where neighbouring
images look alike. Years, hashes and numbers that follow no rule tell nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from ....support.text.spelling import nfc
from ..names import is_split_name
from .fields import Field, Kind

CAMERA_WORDS = frozenset(
    ("cam", "camera", "ch", "chn", "channel", "ipcam", "cctv", "view", "카메라", "채널", "캠")
)
_CAMERA_AFTER = ("번카메라", "번캠", "번채널", "호카메라", "카메라", "채널")
CLIP_WORDS = frozenset(
    ("clip", "video", "vid", "rec", "record", "recording", "seq", "sequence", "scene", "shot",
     "track", "session", "movie", "mov", "mvi", "take", "event", "evt", "gopr", "gopro", "dji",
     "mot", "영상", "클립", "녹화", "비디오", "사고", "이벤트")
)  # fmt: skip
FRAME_WORDS = frozenset(
    ("frame", "frames", "frm", "fr", "f", "img", "image", "pic", "snap", "snapshot", "프레임",
     "이미지")
)  # fmt: skip
BATCH_WORDS = frozenset(
    ("batch", "part", "set", "job", "task", "fold", "subset", "group", "class", "obj", "version",
     "v", "aug", "data", "dataset", "positive", "negative", "pos", "neg", "normal", "abnormal",
     "day", "night", "with", "without", "no", "yes", "images", "new", "old", "배치", "정상",
     "비정상")
)  # fmt: skip
LEAST_GROUPS = 2
LEAST_IMAGES = 3.0
"""Images a group, on average; of videos and clips that are named so, 2 are enough."""
MOST_SINGLES = 0.5
EVEN_STEPS = 0.6
"""Share of the steps between a group's numbers that are the usual one of that group."""
YEAR_DIGITS = 4


class Reason(StrEnum):
    """What a scheme rests on.

    CAMERA       a word or an address of cameras
    CLIP         a word of clips or recordings
    VIDEO        the name of a video file
    START        a day and time that many images share: the recording's start
    DAY          each image has its own time: a camera's day is taken as one recording
    RUNS         numbers that count up in even steps within each group
    WORDS        a word before the number alone
    GAPS         times with gaps between them
    NEIGHBOURS   neighbouring images that look nearly the same
    """

    CAMERA = "camera"
    CLIP = "clip"
    VIDEO = "video"
    START = "start"
    DAY = "day"
    RUNS = "runs"
    WORDS = "words"
    GAPS = "gaps"
    NEIGHBOURS = "neighbours"


@dataclass(frozen=True)
class Scheme:
    """Roles of fields, by their index; a span is [first, last], both in it.

    Args:
        needs_neighbours: it counts only where neighbouring images look alike.
    """

    camera: tuple[int, int] | None
    recording: tuple[int, int] | None
    frame: int | None
    time: int | None
    reasons: tuple[Reason, ...]
    needs_neighbours: bool = False

    def key_of(self, fields: Sequence[Field]) -> tuple[str, str]:
        """Camera and recording of a name."""
        return _text(fields, self.camera), _text(fields, self.recording)


def _text(fields: Sequence[Field], span: tuple[int, int] | None) -> str:
    return "".join(field.text for field in fields[span[0] : span[1] + 1]) if span else ""


def scheme_of(names: Sequence[tuple[Field, ...]], classes: Collection[str]) -> Scheme | None:
    """The scheme of names of one shape; None where they tell nothing.

    Args:
        names: fields of the same kinds.
        classes: of the data set, whose names are those of no camera.
    """
    shape = _Shape(names, classes)
    return next((each for each in shape.candidates() if _holds(each, names, shape)), None)


class _Shape:
    """Alike names by column.

    Args:
        varies: whether a field differs between names.
        words: the texts of a field, small letters.
    """

    def __init__(self, names: Sequence[tuple[Field, ...]], classes: Collection[str]) -> None:
        self.names = names
        self.kinds = [field.kind for field in names[0]]
        self.texts = [{each[i].text for each in names} for i in range(len(self.kinds))]
        self.varies = [len(texts) > 1 for texts in self.texts]
        self.words = [{nfc(text).lower() for text in texts} for texts in self.texts]
        self.classes = {part for name in classes for part in _parts(name)}
        slashes = [i for i, field in enumerate(names[0]) if field.text == "/"]
        self.name_at = slashes[-1] + 1 if slashes else 0
        self.video = next((i for i, kind in enumerate(self.kinds) if kind is Kind.VIDEO), None)
        self.camera = self._camera()
        self.frame = self._frame()
        self.days = [i for i, kind in enumerate(self.kinds) if kind is Kind.DAY]
        self.times = [i for i, kind in enumerate(self.kinds) if kind in (Kind.TIME, Kind.EPOCH)]

    def _is(self, index: int, words: Collection[str]) -> bool:
        return self.kinds[index] is Kind.WORD and self.words[index] <= set(words)

    def _after(self, index: int) -> int | None:
        """The number, or single letter, that a word stands before: 'cam3', 'cam_3', 'cam-A'."""
        for i in (index + 1, index + 2):
            if i >= len(self.kinds) or self.names[0][i].text == "/":
                return None
            if self.kinds[i] is Kind.NUMBER:
                return i
            if self.kinds[i] is Kind.WORD and all(len(text) == 1 for text in self.texts[i]):
                return i
            if self.kinds[i] is not Kind.BETWEEN:
                return None
        return None

    def _camera(self) -> tuple[int, int] | None:
        last = len(self.kinds) - 1
        for i, kind in enumerate(self.kinds):
            if kind is Kind.ADDRESS:
                end = i + 2  # of a recorder: its channel
                channel = end < last and self.kinds[end] is Kind.NUMBER and self._few(end)
                return (i, end) if channel and self.kinds[i + 1] is Kind.BETWEEN else (i, i)
            number = self._after(i) if self._is(i, CAMERA_WORDS) else None
            if number is not None and self._few(number):
                return i, number
            after = all(word.startswith(_CAMERA_AFTER) for word in self.words[i])
            if kind is Kind.WORD and after and i and self.kinds[i - 1] is Kind.NUMBER:
                return i - 1, i
        return None

    def _few(self, index: int) -> bool:
        """A number of cameras has few values; one of frames has about as many as there are."""
        return len(self.texts[index]) * LEAST_IMAGES <= len(self.names)

    def _frame(self) -> int | None:
        """The last number of the file's name that varies, and is not the camera's."""
        taken = range(self.camera[0], self.camera[1] + 1) if self.camera else ()
        for i in range(len(self.kinds) - 1, self.name_at - 1, -1):
            if self.kinds[i] is Kind.NUMBER and self.varies[i] and i not in taken:
                return i
        return None

    def end_of_key(self, frame: int | None) -> int:
        """The last field before the frame, without its word and what stands between; -1: none."""
        end = len(self.kinds) - 1 if frame is None else frame - 1
        if self.video is not None and frame is not None and self.video < frame:
            return self._trimmed(self.video - 1)
        while frame is not None and end >= self.name_at:
            if self.kinds[end] is Kind.BETWEEN or self._is(end, FRAME_WORDS):
                end -= 1
            else:
                break
        return self._trimmed(end)

    def _trimmed(self, end: int) -> int:
        while end >= 0 and self.kinds[end] in (Kind.BETWEEN, Kind.HASH):
            end -= 1
        return end

    # --- what the fields may mean -----------------------------------------------------------------

    def candidates(self) -> list[Scheme]:
        """Schemes to try, the most telling first."""
        found = []
        if self.video is not None and self.frame is not None and self.video < self.frame:
            found.append(self._made(self.end_of_key(self.frame), self.frame, [Reason.VIDEO]))
        if self.frame is not None:
            end = self.end_of_key(self.frame)
            found.append(self._made(end, self.frame, []))
            if self.name_at:  # whatever the file is called
                found.append(self._made(self._trimmed(self.name_at - 1), self.frame, []))
        own_time = [i for i in self.times if self._own(i)]
        if own_time:
            found.append(self._by_day(own_time[-1]))
        return [scheme for scheme in found if scheme is not None]

    def _own(self, time: int) -> bool:
        """Whether nearly each image has its own time."""
        other = [i for i, kind in enumerate(self.kinds) if kind is not Kind.NUMBER and i != time]
        other += range(self.camera[0], self.camera[1] + 1) if self.camera else ()
        moments = {tuple(each[i].text for i in (*other, time)) for each in self.names}
        return len(moments) * 2 > len(self.names)

    def _made(self, end: int, frame: int, reasons: list[Reason]) -> Scheme | None:
        """The scheme whose key ends with a field."""
        if end < 0:
            return None
        telling = [
            i
            for i in range(end + 1)
            if self.varies[i] or self.kinds[i] in (Kind.DAY, Kind.TIME) or self._is(i, CLIP_WORDS)
        ]
        inside = self.camera if self.camera and self.camera[1] <= end else None
        first = min([*telling, *(inside or ())], default=None)
        if first is None:
            return None
        camera, recording = self._parted(inside, telling, first, end)
        return self._reasoned(camera, recording, frame, reasons)

    def _parted(
        self, camera: tuple[int, int] | None, telling: Sequence[int], first: int, end: int
    ) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Camera and recording; the camera with what varies before it: 'plantA_cam3'."""
        if camera is None:
            return None, (first, end)
        before = [i for i in telling if i < camera[0]]
        after = [i for i in telling if i > camera[1]]
        dated = any(
            self.kinds[i] in (Kind.DAY, Kind.TIME) or self._is(i, CLIP_WORDS) for i in before
        )
        if dated and after:
            return None, (min(first, camera[0]), end)
        if dated:
            return camera, (first, self._trimmed(camera[0] - 1))
        whole = (min([*before, camera[0]]), camera[1])
        return whole, (min(after), end) if after else None

    def _reasoned(
        self,
        camera: tuple[int, int] | None,
        recording: tuple[int, int] | None,
        frame: int,
        reasons: list[Reason],
    ) -> Scheme:
        span = range(recording[0], recording[1] + 1) if recording else range(0)
        reasons = [*reasons]
        reasons += [Reason.CAMERA] if camera else []
        if any(self._is(i, CLIP_WORDS) and self._after(i) in span for i in span):
            reasons.append(Reason.CLIP)
        if any(self.kinds[i] is Kind.DAY for i in span):
            reasons.append(Reason.START)
        plain = not any(self.kinds[i] in (Kind.DAY, Kind.TIME, Kind.EPOCH) for i in span)
        if not reasons or (recording and reasons == [Reason.CAMERA] and plain):
            reasons += [Reason.RUNS] if any(self._is_id(i) for i in span) else [Reason.WORDS]
        return Scheme(
            camera, recording, frame, None, tuple(reasons), needs_neighbours=Reason.WORDS in reasons
        )

    def _is_id(self, index: int) -> bool:
        """A number that varies and is no year."""
        if self.kinds[index] is not Kind.NUMBER or not self.varies[index]:
            return False
        years = all(len(t) == YEAR_DIGITS and t.startswith(("19", "20")) for t in self.texts[index])
        return not years

    def _by_day(self, time: int) -> Scheme | None:
        """Each image has its own time: the day of a camera, or the camera alone."""
        days = [i for i in self.days if i < time]
        if not days:
            found = self.camera
            return Scheme(found, None, None, time, (Reason.CAMERA,)) if found else None
        day = days[-1]
        camera = self._before_day(day)
        reasons = (*([Reason.CAMERA] if self.camera else []), Reason.DAY)
        return Scheme(camera, (day, day), None, time, reasons)

    def _before_day(self, day: int) -> tuple[int, int] | None:
        """The camera with what varies before it; without a camera, what varies before the day."""
        end = self.camera[0] if self.camera else day
        dated = {*self.days, *self.times}
        before = [i for i in range(end) if self.varies[i] and i not in dated]
        if self.camera:
            whole = (min([*before, self.camera[0]]), self.camera[1])
            return self.camera if dated & {*range(*whole)} else whole
        if not before:
            return None
        span = (before[0], self._trimmed(day - 1))
        texts = {_text(each, span) for each in self.names}
        few = len(texts) * LEAST_IMAGES <= len(self.names)
        return span if few and not self.is_no_place(span) else None

    def is_no_place(self, span: tuple[int, int]) -> bool:
        """Whether the words of a span are classes, splits or batches of annotation."""
        places = range(max(0, span[0] - 2), span[1] + 1)  # its word may stand before a number
        words = (word for i in places if self.kinds[i] is Kind.WORD for word in self.words[i])
        none = self.classes | BATCH_WORDS
        return any(word in none or is_split_name(word) for word in words)


def _parts(name: str) -> list[str]:
    small = nfc(name).lower()
    return [small, *small.replace("-", " ").replace("_", " ").split()]


# --- whether a scheme holds -----------------------------------------------------------------------


def _holds(scheme: Scheme, names: Sequence[tuple[Field, ...]], shape: _Shape) -> bool:
    """Whether it makes groups that are of use, and nothing speaks against it."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fields in names:
        moment = fields[scheme.frame].text if scheme.frame is not None else ""
        groups[scheme.key_of(fields)].append(moment)
    told = {Reason.VIDEO, Reason.CLIP} & {*scheme.reasons}
    least = 2.0 if told else LEAST_IMAGES
    singles = sum(len(each) == 1 for each in groups.values())
    if len(groups) < LEAST_GROUPS or len(names) < least * len(groups):
        return False
    if singles > MOST_SINGLES * len(groups):
        return False
    if {Reason.RUNS, Reason.WORDS} & {*scheme.reasons}:
        span = scheme.recording or scheme.camera
        if span and shape.is_no_place(span):
            return False
        return are_runs([*groups.values()])
    return True


def are_runs(groups: Sequence[Sequence[str]]) -> bool:
    """Whether the numbers of each group count up in even steps."""
    even = steps = 0
    for texts in groups:
        numbers = sorted({int(text) for text in texts if text.isdigit()})
        found = Counter(b - a for a, b in pairwise(numbers))
        even += max(found.values(), default=0)
        steps += sum(found.values())
    return steps > 0 and even >= EVEN_STEPS * steps
