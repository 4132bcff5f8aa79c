"""Asks a script's own interpreter what it can import and whether it can read the script.

Nothing of the script, and none of the modules, is imported: `importlib.util.find_spec` of top
names only looks.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 30.0

# It must run on old interpreters too.
_PROBE = """
import sys
sys.path[0] = sys.argv[2]
import json
from importlib.util import find_spec
def there(name):
    try:
        return find_spec(name) is not None
    except ValueError:
        return True
    except ImportError:
        return False
said = {"missing": [each for each in sys.argv[3:] if not there(each)], "syntax": ""}
try:
    with open(sys.argv[1], "rb") as stream:
        compile(stream.read(), sys.argv[1], "exec", dont_inherit=True)
except SyntaxError as error:
    said["syntax"] = "line %s: %s" % (error.lineno, error.msg)
except Exception:
    pass
try:
    found = find_spec("ultralytics")
    said["ultralytics"] = list(found.submodule_search_locations or [""])[0] if found else ""
except Exception:
    said["ultralytics"] = ""
sys.stdout.write("\\n" + json.dumps(said) + "\\n")
"""


@dataclass(frozen=True)
class Answer:
    """The interpreter's answer.

    Args:
        missing: names of modules that it can't import.
        syntax: why it can't read the script; '' where it can.
        ultralytics: the directory of its Ultralytics; None where it has none.
    """

    missing: frozenset[str]
    syntax: str
    ultralytics: Path | None


def ask(
    python: Path,
    script: Path,
    modules: Collection[str],
    directory: Path,
    environment: Mapping[str, str],
) -> Answer | str:
    """Ask it.

    Returns:
        The answer; why there is none, where it is too old (before Python 3.4) or does not start.
    """
    command = [str(python), "-W", "ignore", "-c", _PROBE, str(script), str(script.parent)]
    try:
        done = subprocess.run(
            [*command, *sorted(modules)],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
        said = json.loads(done.stdout.strip().splitlines()[-1])
        home = Path(said["ultralytics"]) if said["ultralytics"] else None
        return Answer(frozenset(said["missing"]), said["syntax"], home)
    except subprocess.TimeoutExpired:
        return f"it did not answer within {LIMIT_S:.0f} s"
    except OSError as exc:
        return f"it does not start: {exc.strerror}"
    except (ValueError, IndexError, KeyError):
        last = done.stderr.strip().splitlines()[-1:]
        return last[0][:200] if last else f"it ended with code {done.returncode}"
