"""The commands of whoever sets up machines. Only click is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import option, switch

from ..flags import Command
from ..options import OBJECT


@dataclass(frozen=True)
class BundleWheelsCommand:
    target: str = option("--to", "A new directory.", metavar="DIR", required=True)
    requirements: tuple[str, ...] = option(
        "--requirements",
        "A file of requirements, instead of the project's and the server's. Repeatable.",
        default=(),
        metavar="FILE",
    )
    as_json: bool = switch("--json", OBJECT)


DEPLOYMENT_COMMANDS = (
    Command(
        "bundle-wheels",
        "apps.cli.deployment.wheels:show_bundled_wheels",
        BundleWheelsCommand,
        """Collect all that an installation without internet needs, this project among it.

Run it where there is internet, on the system and the Python that the other machine has. Its
SHA256SUMS tell there whether everything arrived.
""",
        """\
  guardianflow bundle-wheels --to /media/usb/wheels

\b
There:
  cd wheels && sha256sum --check --quiet SHA256SUMS
  python3.11 -m venv /opt/guardianflow
  /opt/guardianflow/bin/pip install --no-index --find-links . 'guardianflow[s3]'
""",
    ),
)
