"""An author's quantizer, asked for a variant's files; what it answers is checked.

build_quantizer    ExperimentCode + configurations → RunningQuantizer
RunningQuantizer   → the model's file, found to be there
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardianflow.contracts.errors import ExperimentError

from .code_path import ExperimentCode, build, calling

if TYPE_CHECKING:
    from guardianflow.contracts.ports import ImageArray


class RunningQuantizer:
    """An author's Quantizer at work.

    Args:
        code: its code.
        made: its object.
    """

    def __init__(self, code: ExperimentCode, made: Any) -> None:
        self.code, self._made = code, made

    def quantize(
        self, weights: Path, calibration_images: Sequence[ImageArray], out_dir: Path, suffix: str
    ) -> Path:
        """Let it make the files; see BaseQuantizer.

        Args:
            out_dir: made where it is missing.
            suffix: of the file that the backend opens, '.xml'.

        Returns:
            Absolute path of that file.

        Raises:
            ExperimentError: it raised, returned no path, or a file that is missing or empty.
        """
        out_dir.mkdir(parents=True, exist_ok=True)
        with self.code.running(), calling(self.code, "quantize()"):
            answer = self._made.quantize(weights, calibration_images, out_dir)
        given = [answer] if isinstance(answer, (str, os.PathLike)) else answer
        if not isinstance(given, (list, tuple)) or not given or not all(map(_is_path, given)):
            raise self._wrong(f"must return the path of the model's file but returned {answer!r}")
        paths = [Path(each).absolute() for each in given]
        for path in paths:
            if not path.exists():
                raise self._wrong(
                    f"returned '{path}', which does not exist; write into out_dir ({out_dir})"
                )
        files = [file for path in paths for file in _files(path)]
        found = [file for file in files if file.suffix.lower() == suffix]
        if len(found) != 1:
            have = ", ".join(sorted(file.name for file in files)) or "nothing"
            raise self._wrong(
                f"must return exactly one {suffix} file, which the backend opens, but returned "
                f"{have}"
            )
        if not found[0].stat().st_size:
            raise self._wrong(f"returned '{found[0]}', which is an empty file")
        return found[0]

    def _wrong(self, what: str) -> ExperimentError:
        return ExperimentError(
            f"{self.code.path}: quantize() of {self.code.loaded_class.__name__} {what}"
        )


def build_quantizer(
    code: ExperimentCode, optional: Mapping[str, object], **configs: Any
) -> RunningQuantizer:
    """Build the author's quantizer.

    Args:
        optional: environment_config, work_dir, class_names.
        configs: model_config, quantization_config, dataset_config.

    Raises:
        ExperimentError: the constructor raised.
    """
    return RunningQuantizer(code, build(code, optional, **configs))


def _is_path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike)) and bool(str(value))


def _files(path: Path) -> list[Path]:
    return [each for each in path.iterdir() if each.is_file()] if path.is_dir() else [path]
