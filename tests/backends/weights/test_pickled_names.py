"""Looking into a pickle: every trick is seen, and nothing is ever run to see it."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hostile_pickles import LIVE, OTHERS, archive, arguments, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardianflow.backends.weights import checkpoints, pickled_names, ultralytics_models
from guardianflow.backends.weights.pickle_archives import UnreadablePickleError
from guardianflow.backends.weights.pickled_names import (
    How,
    full_name,
    uses_in_file,
    uses_in_pickle,
)
from guardianflow.contracts.errors import SourceError

ALL = {**LIVE, **OTHERS}
MakeWeights = Callable[[str], Path]


@pytest.mark.parametrize("trick", ALL)
def test_what_no_detector_needs_is_refused_and_never_run(trick: str, tmp_path: Path) -> None:
    marker, file = tmp_path / "marker", tmp_path / "x.pt"
    file.write_bytes(ALL[trick](marker))
    seen = checkpoints.look(file)
    assert seen.unknown(), seen
    with pytest.raises(SourceError) as caught:
        checkpoints.require_known(file)
    assert "--trust-weights opens it all the same" in str(caught.value)
    with pytest.raises(SourceError):
        ultralytics_models.load_detector(file)
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("trick", LIVE)
def test_the_tricks_are_real(trick: str, tmp_path: Path) -> None:
    ultralytics_models.import_ultralytics()
    import torch

    marker, file = tmp_path / "marker", tmp_path / "x.pt"
    file.write_bytes(LIVE[trick](marker))
    try:  # most break what comes after the command: it has run by then
        torch.load(file, weights_only=False)
    except Exception as exc:
        assert marker.exists(), exc
    assert marker.exists()


def test_the_message_names_what_was_found_and_where(tmp_path: Path) -> None:
    file = tmp_path / "x.pt"
    file.write_bytes(ALL["INST"](tmp_path / "marker"))
    with pytest.raises(SourceError) as caught:
        ultralytics_models.load_detector(file)
    at = len(arguments(tmp_path / "marker"))
    assert str(caught.value) == (
        f"{file} would run 'os.system' (archive/data.pkl, byte {at}) when it is "
        "opened, which no detector needs; --trust-weights opens it all the same, if you know who "
        "made it"
    )
    file.write_bytes(ALL["constructor"](tmp_path / "marker"))
    with pytest.raises(SourceError, match=r"the constructor of 'ultralytics\.nn\.tasks\.Detec"):
        ultralytics_models.load_detector(file)
    file.write_bytes(ALL["computed call"](tmp_path / "marker"))
    with pytest.raises(SourceError, match=r"not known to be harmless .*calls what it computes"):
        ultralytics_models.load_detector(file)


def test_what_was_vouched_for_is_opened_and_nothing_more(
    weights: MakeWeights, tmp_path: Path
) -> None:
    from fractions import Fraction

    import torch

    content = torch.load(weights("yolo11n"), weights_only=False)
    file = tmp_path / "x.pt"
    torch.save({**content, "share": Fraction(1, 3)}, file)
    assert checkpoints.look(file).names == ("fractions.Fraction",)
    with pytest.raises(SourceError, match=r"would run 'fractions\.Fraction'"):
        ultralytics_models.load_detector(file, ["fractions.Decimal"])
    for accepted in (["fractions.Fraction"], [checkpoints.ANYTHING]):
        assert ultralytics_models.load_detector(file, accepted).names[0] == "helmet"


def test_a_known_checkpoint_is_loaded_by_its_names_alone(
    weights: MakeWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    asked: list[bool] = []
    load = torch.load

    def watched(*given: Any, **named: Any) -> Any:
        asked.append(named["weights_only"])
        return load(*given, **named)

    monkeypatch.setattr(torch, "load", watched)
    before = set(torch.serialization.get_safe_globals())
    ultralytics_models.load_detector(weights("yolo11n"))
    assert asked == [True]
    assert set(torch.serialization.get_safe_globals()) == before


def test_what_pytorch_reads_must_be_what_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No archive is known that the two readers see differently: here ours is made to err."""
    hostile = archive(pickle.dumps({"a": 1}, 2))
    monkeypatch.setattr(checkpoints, "pickles_of_archive", lambda _: {"archive/data.pkl": b"}."})
    (tmp_path / "x.pt").write_bytes(hostile)
    with pytest.raises(SourceError, match="two archives in one"):
        checkpoints.load(checkpoints.look(tmp_path / "x.pt"))


def test_names_are_told_apart_as_python_reads_them() -> None:
    assert full_name("__builtin__", "set") == "builtins.set"
    assert full_name("torch.nn", "Linear") == "torch.nn.Linear"
    assert full_name("torch", "nn.Linear") == "torch:nn.Linear"
    for odd in (("os ", "system"), ("os", ""), ("", "system"), ("os\\x", "system"), ("a b", "c")):
        with pytest.raises(UnreadablePickleError):
            full_name(*odd)


# --- no pickle keeps it busy ----------------------------------------------------------------------


def laughs(depth: int) -> bytes:
    """A tuple of two of the last tuple, `depth` times; hashing it takes 2**depth steps."""
    return b"\x80\x02}" + b"K\x01" + b"2\x86" * depth + b"K\x01s."


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (laughs(200), ""),
        (b"\x80\x02" + b"]" * 500_000 + b"a" * 499_999 + b".", ""),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "out of order"),
        (b"p99999999999999999999\n.", "empty stack|out of order"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b".", "BINBYTES8"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "LONG4"),
        (b"I" + b"9" * 100_000 + b"\n.", "INT"),
        (b"\x80\x02" + b"N0" * 600_000 + b"N.", "more than 1100000 steps"),
        (b"(" * 1_000_000 + b".", "empty stack"),
    ],
)
def test_a_pickle_that_would_cost_its_reader_hours_or_all_memory_is_done_with(
    program: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickled_names, "MOST_OPCODES", 1_100_000)
    if why:
        with pytest.raises(UnreadablePickleError, match=why):
            uses_in_file(archive(program))
    else:
        assert uses_in_file(archive(program)) == []


def test_an_archive_of_a_large_program_is_not_read() -> None:
    with pytest.raises(UnreadablePickleError, match="larger than"):
        uses_in_file(zipped({"a/data.pkl": b"N" * (33 << 20), "a/version": b"3"}))


# --- whatever it holds ----------------------------------------------------------------------------

_events: list[str] | None = None
_WATCHED = ("import", "exec", "os.", "open", "subprocess.", "pickle.find_class", "socket.")


def _audit(event: str, _: Any) -> None:
    if _events is not None and event.startswith(_WATCHED):
        _events.append(event)


sys.addaudithook(_audit)


@contextmanager
def nothing_happens() -> Iterator[None]:
    """Python itself tells of each import, opened file and started process."""
    global _events
    _events = []
    try:
        yield
        happened = _events
    finally:
        _events = None
    assert happened == []


class Oracle(pickle.Unpickler):
    """Python's own unpickler, with stand-ins in place of what is named."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.named: set[str] = set()
        self.called: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        named = full_name(module, name)
        self.named.add(named)
        called = self.called

        class Inert:
            def __new__(cls, *_: Any, **__: Any) -> Any:
                called.add(named)
                return object.__new__(cls)

            def __init__(self, *_: Any, **__: Any) -> None: ...

            def __setstate__(self, _: Any) -> None: ...

        return Inert

    def persistent_load(self, _: Any) -> Any:
        return None


def real_programs() -> list[bytes]:
    marker = Path("/nonexistent/marker")
    values: list[Any] = [{"a": [1, 2.5, "x", b"y", None, True, (1, 2), {3}]}, OrderedPoint(1, 2)]
    programs = [pickle.dumps(value, number) for value in values for number in range(6)]
    for make in ALL.values():
        content = make(marker)
        if content.startswith(b"PK"):
            start = content.find(b"data.pkl") + len(b"data.pkl")
            programs.append(content[start : content.find(b"PK", start)])
    return programs


class OrderedPoint:
    """Something with a state of its own."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __reduce__(self) -> Any:
        return type(self), (self.x, self.y), {"x": self.x}


PROGRAMS = real_programs()
PIECES = [bytes([code]) for code in range(256)] + [
    b"cos\nsystem\n", b"ios\nsystem\n", b"X\x02\x00\x00\x00os", b"\x8c\x06system",
    b"q\x00", b"h\x00", b"K\x01", b"\x85R", b")\x81", b"}b",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    program = bytearray(draw(st.sampled_from(PROGRAMS)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(program)))
        length = draw(st.integers(0, 4))
        program[place : place + length] = draw(st.sampled_from(PIECES))
    return bytes(program)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    program=st.one_of(
        mutated(), st.binary(max_size=60), st.lists(st.sampled_from(PIECES)).map(b"".join)
    )
)
def test_nothing_is_run_and_all_that_python_would_run_is_seen(program: bytes) -> None:
    stream = io.BytesIO(program)
    with nothing_happens():
        try:
            uses = uses_in_pickle(stream, "")
        except UnreadablePickleError:
            return
    oracle = Oracle(program)
    try:
        oracle.load()
    except Exception:
        pass
    else:
        rest = len(program) - stream.tell()
        assert rest >= 0
    assert oracle.named <= {use.name for use in uses}
    assert oracle.called <= {use.name for use in uses if use.how in (How.CALLED, How.MADE)}


@pytest.mark.parametrize("text", [rb"\z", rb"\400"])
def test_a_text_with_an_escape_that_there_is_not_is_damaged(text: bytes) -> None:
    with pytest.raises(UnreadablePickleError, match="STRING"):
        uses_in_pickle(io.BytesIO(b"S'" + text + b"'\n."), "")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_archive_is_never_opened(data: st.DataObject) -> None:
    content = bytearray(archive(PROGRAMS[0]))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with nothing_happens():
        try:
            uses_in_file(bytes(content))
        except UnreadablePickleError:
            return
