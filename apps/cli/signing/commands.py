"""The commands about signed releases: `keys make` and `sign`. Only click is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import option, switch

from ..flags import Command
from ..options import OBJECT


@dataclass(frozen=True)
class KeysMakeCommand:
    target: str = option("--to", "Directory for NAME.key and NAME.pub.", default=".", metavar="DIR")
    name: str = option("--name", "Their name.", default="team", show_default=True)
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class SignCommand:
    model: str = option("model", required=True)
    key: str = option("--key", "The secret key.", metavar="FILE", required=True)
    as_json: bool = switch("--json", OBJECT)


KEYS_COMMANDS = (
    Command(
        "make",
        "apps.cli.signing.keys:make_keys",
        KeysMakeCommand,
        """Make the pair of keys that releases are signed with.

NAME.key stays where releases are made, and goes to nobody. NAME.pub goes to every box.
""",
        """\
  guardianflow keys make --to ~/keys --name plant

\b
The files are those of the program minisign. Who has NAME.key can sign: keep a copy where a lost
disk does not matter, and make new keys, and give NAME.pub to every box, when somebody else had it.
""",
    ),
)
SIGN = Command(
    "sign",
    "apps.cli.signing.sign:show_sign",
    SignCommand,
    """Sign a registered version, for boxes that take only what the team has released.

Its files are fetched and compared first. Sign before you promote: a box that asks for signatures
keeps what it has until the new champion is signed.
""",
    """\
  guardianflow sign donghwa-entec/busan-plant1/welding/ppe/3 --key ~/keys/plant.key
  guardianflow promote donghwa-entec/busan-plant1/welding/ppe --version 3
  guardianflow pull donghwa-entec/busan-plant1/welding/ppe --to /opt/ppe --verify-key plant.pub
""",
)
