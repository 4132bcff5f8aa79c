"""An author's file imported, or one sentence on what keeps it from that, with its place."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import ModuleType

from guardianflow.contracts.errors import ExperimentCodeError, GuardianFlowError
from guardianflow.support.suggestions import did_you_mean

from .import_scope import ImportScope

_INSTALL_NAMES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "git": "gitpython",
    "dotenv": "python-dotenv",
    "mmcv": "openmim",
}


def import_file(scope: ImportScope, path: Path) -> ModuleType:
    """Execute an author's file as a module.

    Raises:
        ExperimentCodeError: it can't be read, lacks a library, or raised; says where.
    """
    try:
        return scope.load(path)
    except GuardianFlowError:
        raise
    except SyntaxError as exc:
        if exc.lineno is None:  # raised by a call, not by reading a file
            raise _raised_on_import(exc, path) from exc
        place = f"{exc.filename or path}:{exc.lineno or 0}:{exc.offset or 0}"
        raise ExperimentCodeError(f"{place}: {exc.msg}; Python can't read this file") from exc
    except ModuleNotFoundError as exc:
        raise ExperimentCodeError(_missing_module(exc, path)) from exc
    except SystemExit as exc:
        raise ExperimentCodeError(
            f"{path}: it ended the process (exit code {exc.code}) while being imported; put what "
            'the script does on its own under `if __name__ == "__main__":`'
        ) from exc
    except Exception as exc:
        raise _raised_on_import(exc, path) from exc


def author_traceback(exc: BaseException, directory: Path, most: int = 6) -> str:
    """The author's part of a traceback: neither ours nor the libraries'."""
    return "".join(traceback.format_list(_author_frames(exc, directory)[-most:])).rstrip()


def author_place(exc: BaseException, path: Path) -> str:
    """'file:line' of the author's code where it was raised; the file where no line is theirs."""
    frames = _author_frames(exc, path.parent)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(path)


def _raised_on_import(exc: Exception, path: Path) -> ExperimentCodeError:
    return ExperimentCodeError(
        f"{path}: importing it raised {type(exc).__name__}: {exc}\n"
        f"{author_traceback(exc, path.parent)}"
    )


def _missing_module(exc: ModuleNotFoundError, path: Path) -> str:
    name = (exc.name or "").partition(".")[0]
    place = author_place(exc, path)
    own = [p.stem for p in path.parent.glob("*.py")] + [
        p.name for p in path.parent.iterdir() if p.is_dir()
    ]
    if name in own or not name or name.startswith("guardianflow_experiment_"):
        return f"{place}: {exc}; the experiment's own package lacks that module"
    if near := did_you_mean(name, own, 1):
        return f"{place}: imports '{exc.name}', which does not exist{near}"
    return (
        f"{place}: imports '{exc.name}', which is not installed in this environment. Install it "
        f"with: pip install {_INSTALL_NAMES.get(name, name)}"
    )


def _author_frames(exc: BaseException, directory: Path) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(exc.__traceback__)
    return [frame for frame in frames if Path(frame.filename).is_relative_to(directory)]
