"""Weight files that run a command when they are opened: each a trick of its own, really made.

The command makes a marker file. `LIVE` are those that PyTorch's ordinary load falls for here, which
a test tries: the others are refused by it for another reason, or lead another reader astray.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MAGIC = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # magic number
    b"\x80\x02M\xe9\x03."  # protocol 1001
    b"\x80\x02}q\x00."  # system
)


class Command:
    """Pickled as a call of os.system."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


def text(value: str) -> bytes:
    """BINUNICODE."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def arguments(marker: Path) -> bytes:
    return text(f"touch '{marker}'") + b"\x85"


def archive(program: bytes, folder: str = "archive") -> bytes:
    """A zip archive as torch.save writes it, with this program as its data.pkl."""
    return zipped({f"{folder}/data.pkl": program, f"{folder}/version": b"3\n"})


def zipped(entries: Mapping[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return stream.getvalue()


def protocol(number: int) -> Callable[[Path], bytes]:
    return lambda marker: archive(pickle.dumps({"model": Command(marker)}, number))


def legacy(marker: Path) -> bytes:
    return MAGIC + pickle.dumps(Command(marker), 2) + b"\x80\x02]."


def legacy_keys(marker: Path) -> bytes:
    """The object is harmless; the list of storages behind it is not."""
    return MAGIC + b"\x80\x02}." + pickle.dumps(Command(marker), 2)


def dotted(marker: Path) -> bytes:
    """os.system reached through the attributes of a module that every checkpoint names."""
    program = b"\x80\x04" + text("torch") + text("serialization.os.system") + b"\x93"
    return archive(program + arguments(marker) + b"R.")


def memoised(marker: Path) -> bytes:
    """The name is put together from the memo."""
    program = b"\x80\x04" + text("system") + b"q\x01" + text("os") + b"q\x02" + b"00"
    return archive(program + b"h\x02h\x01\x93" + arguments(marker) + b"R.")


def inst(marker: Path) -> bytes:
    return archive(b"(" + text(f"touch '{marker}'") + b"ios\nsystem\n.")


def obj(marker: Path) -> bytes:
    return archive(b"(cos\nsystem\n" + text(f"touch '{marker}'") + b"o.")


def popped(marker: Path) -> bytes:
    """The result is thrown away: only an ordinary dictionary is left."""
    return archive(b"\x80\x02cos\nsystem\n" + arguments(marker) + b"R0}.")


def evaluated(marker: Path) -> bytes:
    return archive(b"\x80\x02c__builtin__\neval\n" + _python(marker) + b"\x85R.")


def through_getattr(marker: Path) -> bytes:
    program = b"\x80\x02c__builtin__\ngetattr\n" + b"cos\n__dict__\n" + text("get") + b"\x86R"
    return archive(program + text("system") + b"\x85R" + arguments(marker) + b"R.")


def nested(marker: Path) -> bytes:
    """A whole pickle inside, for a function of PyTorch that opens it without a question."""
    inner = io.BytesIO()
    pickle.dump(Command(marker), inner, 2)
    content = MAGIC + inner.getvalue() + b"\x80\x02]."
    program = b"\x80\x03ctorch.storage\n_load_from_bytes\n"
    return archive(program + b"B" + struct.pack("<I", len(content)) + content + b"\x85R.")


def description(marker: Path) -> dict[str, Any]:
    """Of a network, with a command where Ultralytics evaluates a text."""
    layer = [-1, 1, "Conv", [8, 3, 2]]
    return {"activation": _text(marker), "backbone": [layer], "head": [], "nc": 1}


def constructor(marker: Path) -> bytes:
    """A known class: its constructor evaluates a text of the network's description."""
    given = pickle.dumps(description(marker), 2)[2:-1]
    return archive(
        b"\x80\x02cultralytics.nn.tasks\nDetectionModel\n" + given + b"\x85R."
    )  # fmt: skip


def constructor_by_function(marker: Path) -> bytes:
    """The same, called by a function that PyTorch's own `weights_only` lets through."""
    given = pickle.dumps(description(marker), 2)[2:-1]
    program = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n("
    program += b"cultralytics.nn.tasks\nDetectionModel\n" + b"ctorch\nTensor\n" + given + b"\x85}"
    return archive(program + b"tR.")


def kept_class(marker: Path) -> bytes:
    return archive(b"\x80\x02}" + text("forward") + b"cultralytics.nn.tasks\nDetectionModel\ns.")


def truncated(marker: Path) -> bytes:
    """It has run before its end is missed."""
    return archive(b"\x80\x02cos\nsystem\n" + arguments(marker) + b"R")


def computed_name(marker: Path) -> bytes:
    return archive(b"\x80\x04" + text("os") + b"K\x01\x93" + arguments(marker) + b"R.")


def computed_call(marker: Path) -> bytes:
    return archive(b"\x80\x02}" + arguments(marker) + b"R.")


def extension(marker: Path) -> bytes:
    return archive(b"\x80\x02\x82\x01" + arguments(marker) + b"R.")


def twice(marker: Path) -> bytes:
    """Two entries of one name: which is opened?"""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02}.")
        file.writestr("archive/data_pkl", pickle.dumps(Command(marker), 2))
    return stream.getvalue().replace(b"data_pkl", b"data.pkl")


def other_case(marker: Path) -> bytes:
    command = pickle.dumps(Command(marker), 2)
    return zipped({"archive/DATA.PKL": command, "archive/data.pkl": b"\x80\x02}."})


def other_folder(marker: Path) -> bytes:
    command = pickle.dumps(Command(marker), 2)
    return zipped({"a/data.pkl": command, "a/version": b"3", "b/data.pkl": b"\x80\x02}."})


def another_pickle(marker: Path) -> bytes:
    command = pickle.dumps(Command(marker), 2)
    return zipped({"archive/data.pkl": b"\x80\x02}.", "archive/more.PKL": command})


def second_archive(marker: Path) -> bytes:
    return archive(b"\x80\x02}.") + archive(pickle.dumps(Command(marker), 2))


def behind_something(marker: Path) -> bytes:
    """An archive with another before it, whose offsets fit both."""
    return b"PK\x03\x04" + bytes(26) + archive(pickle.dumps(Command(marker), 2))


def with_comment(marker: Path) -> bytes:
    content = archive(pickle.dumps(Command(marker), 2))
    hidden = archive(b"\x80\x02}.")
    return content[:-2] + struct.pack("<H", len(hidden)) + hidden


def compressed(marker: Path) -> bytes:
    command = pickle.dumps(Command(marker), 2)
    return zipped({"archive/data.pkl": command, "archive/version": b"3"}, zipfile.ZIP_DEFLATED)


def two_names(marker: Path) -> bytes:
    """The entry itself has another name than the table of contents gives it."""
    command = pickle.dumps(Command(marker), 2)
    content = zipped({"archive/data.pkl": command, "archive/version": b"3"})
    return content.replace(b"data.pkl", b"datx.pkl", 1)


def old_tar(marker: Path) -> bytes:
    """PyTorch's oldest format."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        for name, content in (
            ("storages", pickle.dumps(Command(marker), 2)),
            ("tensors", b"\x80\x02K\x00."),
            ("pickle", b"\x80\x02}."),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def calls(name: str) -> Callable[[Path], bytes]:
    """Any other function that no detector needs."""
    module, _, function = name.rpartition(".")
    return lambda marker: archive(
        f"\x80\x02c{module}\n{function}\n".encode("latin-1") + arguments(marker) + b"R."
    )


def _text(marker: Path) -> str:
    return f"__import__('os').system('touch {marker}')"


def _python(marker: Path) -> bytes:
    return text(_text(marker))


LIVE: Mapping[str, Callable[[Path], bytes]] = {
    **{f"protocol {number}": protocol(number) for number in range(6)},
    "legacy format": legacy,
    "legacy format, its keys": legacy_keys,
    "dotted name": dotted,
    "name from the memo": memoised,
    "INST": inst,
    "OBJ": obj,
    "result thrown away": popped,
    "eval": evaluated,
    "a pickle in a pickle": nested,
    "constructor": constructor,
    "constructor by a function": constructor_by_function,
    "truncated": truncated,
    "compressed": compressed,
    "old tar": old_tar,
}
OTHERS: Mapping[str, Callable[[Path], bytes]] = {
    "getattr": through_getattr,
    "class kept": kept_class,
    "computed name": computed_name,
    "computed call": computed_call,
    "extension": extension,
    "two entries of one name": twice,
    "second archive": second_archive,
    "other case": other_case,
    "other folder": other_folder,
    "another pickle": another_pickle,
    "behind something": behind_something,
    "with comment": with_comment,
    "two names": two_names,
    **{
        name: calls(name)
        for name in (
            "functools.partial",
            "operator.attrgetter",
            "importlib.import_module",
            "numpy.load",
            "pickle.loads",
            "runpy.run_path",
            "subprocess.Popen",
            "torch.hub.load",
            "torch.load",
            "torch.jit.load",
            "torch.fx.graph_module._exec_with_source",
            "torch.nn.modules.module.torch",
            "torch.nn.modules.utils._list_with_default",
            "torch.utils.data.DataLoader",
            "types.CodeType",
            "ultralytics.nn.tasks.torch_safe_load",
            "ultralytics.nn.tasks.parse_model",
            "ultralytics.utils.checks.check_requirements",
            "ultralytics.utils.downloads.safe_download",
        )
    },
}
