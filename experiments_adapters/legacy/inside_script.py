"""Copied as sitecustomize.py beside a wrapped script: the part of the wrapper inside its process.

Quiet: where mlflow can be imported, Ultralytics starts runs of its own beside the one that we
keep. Its switch stands in a settings file of the user, which is not ours to write; so its
callbacks are emptied as they are imported, in the script's process alone.

Noted: the files that the script opens for writing and the directories that it makes, wherever
they lie, are written down in RECORD beside this file (outcome/written.py reads it). So its results
are told from those of others, also of another run of the same script at the same time.

Nothing else is touched: a script that uses mlflow by itself does so as before.

It runs in the script's interpreter, which may be an old one: no modern syntax, and whatever goes
wrong here must not keep the script from running.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,var-annotated"

import os
import sys

QUIET = ("ultralytics.utils.callbacks.mlflow", "ultralytics.yolo.utils.callbacks.mlflow")
TORCH = "torch.serialization"
OPENVINO = ("openvino", "openvino.runtime")

RECORD = "written"
WEIGHTS = (".pt", ".pth", ".onnx", ".engine", ".xml", ".bin", ".torchscript", ".tflite")
OTHERS = (
    ".csv", ".json", ".jsonl", ".txt", ".png", ".jpg", ".jpeg", ".svg", ".pdf",
    ".yaml", ".yml", ".toml", ".ini",
)  # fmt: skip
TABLE, EVENTS = "results.csv", "events.out.tfevents."
MOST_OTHERS, MOST = 5000, 20000

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120


class _Record(object):  # noqa: UP004
    """Writes down what is written: `F SIZE PATH` of a file with its size before, `D PATH`.

    Each entry ends with a NUL and is appended at once, so that processes may share the file.
    """

    def __init__(self, path):
        self._path = path
        self._seen = set()
        self._made = set()
        self._others = 0

    def file(self, path, cut):
        """A file is opened for writing; `cut`: what it held goes."""
        path = os.fsdecode(path)
        name = os.path.basename(path).lower()  # noqa: PTH119
        first = name.endswith(WEIGHTS) or name == TABLE or name.startswith(EVENTS)
        if not first and not name.endswith(OTHERS):
            return
        path = os.path.abspath(path)  # noqa: PTH100
        if path in self._seen or len(self._seen) > MOST:
            return
        if not first:
            self._others += 1
            if self._others > MOST_OTHERS or os.path.dirname(path) in self._made:  # noqa: PTH120
                return
        self._seen.add(path)
        size = 0
        if not cut and os.path.isfile(path):  # noqa: PTH113
            size = os.path.getsize(path)  # noqa: PTH202
        self._append("F %d %s" % (size, os.path.realpath(path)))  # noqa: UP031

    def folder(self, path):
        """A directory is made; one that is there already is nobody's."""
        path = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
        if path in self._made or len(self._made) > MOST or os.path.lexists(path):
            return
        self._made.add(path)
        self._append("D " + os.path.realpath(path))

    def _append(self, entry):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            os.write(descriptor, os.fsencode(entry) + b"\0")
        finally:
            os.close(descriptor)


def _note_writes():
    """Note what Python opens and makes; returns what takes a path that something else writes."""
    if not hasattr(sys, "addaudithook"):  # before Python 3.8
        return None
    record = _Record(os.path.join(HERE, RECORD))  # noqa: PTH118
    written = os.O_WRONLY | os.O_RDWR

    # Everything it needs is bound here: while an interpreter ends, globals are gone.
    def hook(event, arguments, cut=os.O_TRUNC, written=written):
        try:
            if event == "open":
                path, _, flags = arguments
                if flags & written and not isinstance(path, int):
                    record.file(path, flags & cut)
            elif event == "os.mkdir":
                record.folder(arguments[0])
            elif event == "os.rename":
                record.file(arguments[1], True)
                if os.path.isdir(arguments[0]):  # noqa: PTH112
                    record.folder(arguments[1])
        except Exception:  # nosec B110 # the script must not know
            pass

    sys.addaudithook(hook)

    def note(path):
        hook("open", (path, None, written | os.O_TRUNC))

    return note


def _quieten(module, note):  # noqa: ARG001 - as the others
    module.callbacks = {}


def _note_saved(module, note):
    """torch.save opens its file in C++, which nobody is told of."""
    opens = getattr(module, "_open_zipfile_writer", None)
    if opens is None or note is None:
        return

    def noted(name_or_buffer):
        if isinstance(name_or_buffer, (str, os.PathLike)):
            note(name_or_buffer)
        return opens(name_or_buffer)

    module._open_zipfile_writer = noted


def _note_network(module, note):
    """As _note_saved, of OpenVINO's .xml with its .bin."""
    import functools

    saves = getattr(module, "save_model", None)
    if saves is None or note is None:
        return

    @functools.wraps(saves)
    def noted(model, output_model, *rest, **options):
        note(output_model)
        note(str(output_model)[:-4] + ".bin")
        return saves(model, output_model, *rest, **options)

    module.save_model = noted


def _install(note):
    """Have these done behind the imports of the modules that they are for."""
    import importlib.abc
    import importlib.machinery

    after = dict.fromkeys(QUIET, _quieten)
    after[TORCH] = _note_saved
    after.update(dict.fromkeys(OPENVINO, _note_network))

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            then = after.get(name)
            if then is None:
                return None
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            if spec is None or spec.loader is None:
                return spec
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                try:  # noqa: SIM105 - one import less at each start
                    then(module, note)
                except Exception:  # nosec B110 # the script must not know
                    pass

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder())


def _run_other():
    """The sitecustomize that stood before ours, if there is one, is run as it would have been."""
    import importlib.machinery

    others = [each for each in sys.path if os.path.abspath(each or ".") != HERE]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = type(sys)("sitecustomize")
        module.__file__ = spec.origin
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


try:
    if __name__ == "sitecustomize":
        _install(_note_writes())
        _run_other()
except Exception as _failure:
    sys.stderr.write("guardianflow: Ultralytics' own MLflow runs stay on: %s\n" % (_failure,))  # noqa: UP031
