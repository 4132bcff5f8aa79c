"""Copied as sitecustomize.py beside a wrapped script: keeps Ultralytics' own MLflow runs out.

Where mlflow can be imported, Ultralytics starts runs of its own beside the one that we keep.
Its switch stands in a settings file of the user, which is not ours to write; so its callbacks
are emptied as they are imported, in the script's process alone. Nothing else is touched: a script
that uses mlflow by itself does so as before.

It runs in the script's interpreter, which may be an old one: no modern syntax, and whatever goes
wrong here must not keep the script from running.
"""

import sys

QUIET = ("ultralytics.utils.callbacks.mlflow", "ultralytics.yolo.utils.callbacks.mlflow")


def _install():  # type: ignore[no-untyped-def]
    import importlib.abc
    import importlib.machinery
    import os

    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
            if name not in QUIET:
                return None
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            if spec is None or spec.loader is None:
                return spec
            run = spec.loader.exec_module

            def exec_module(module):  # type: ignore[no-untyped-def]
                run(module)
                module.callbacks = {}

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder())

    # The sitecustomize that stood before ours, if there is one, is run as it would have been.
    others = [each for each in sys.path if os.path.abspath(each or ".") != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = type(sys)("sitecustomize")
        module.__file__ = spec.origin
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


try:
    if __name__ == "sitecustomize":
        _install()  # type: ignore[no-untyped-call]
except Exception as _failure:
    sys.stderr.write("guardianflow: Ultralytics' own MLflow runs stay on: %s\n" % (_failure,))  # noqa: UP031
