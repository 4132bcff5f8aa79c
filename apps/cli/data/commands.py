"""The commands about data sets: `guardianflow data …`. Only click is imported here."""

from __future__ import annotations

from ..flags import Command
from .check_options import DataCheckCommand
from .options import DataGroupsCommand, DataSplitCommand

DATA_COMMANDS: tuple[Command, ...] = (
    Command(
        "check",
        "apps.cli.data.check:show_check",
        DataCheckCommand,
        """Look for what of val and test is in train already: such figures prove nothing.

Compared are files, pictures (encoded, scaled, cropped or lit otherwise, or one moment later) and,
where they are known, recordings and cameras. Files that have not changed are read once.
""",
        """\
  guardianflow data check site/data.yaml
  guardianflow data check site -o leaks --max 0.02
  guardianflow data check site --groups folder
  guardianflow data check demo://ppe --json

\b
Exit codes: 0 no split has more of itself in train than --max; 1 one has; 2 bad input.
""",
    ),
    Command(
        "groups",
        "apps.cli.data.groups:show_groups",
        DataGroupsCommand,
        """Find out which recording and camera each image is of, and show what each would hold.

Names, folders, times in the files and images that look like their neighbours are looked at. What
can't be told is not guessed. Nothing is written unless --write says so.
""",
        """\
  guardianflow data groups site/data.yaml
  guardianflow data groups site --write site/groups.csv
  guardianflow data groups site --groups '(?P<camera>cam\\d+)_(?P<recording>\\d+)' --json

\b
Exit codes: 0 shown, or written; 1 there is nothing to write; 2 bad input.
""",
    ),
    Command(
        "split",
        "apps.cli.data.split:show_split",
        DataSplitCommand,
        """Split a data set so that no recording, or camera, is in two splits.

All images are dealt anew, whatever split they are in now, so that sizes and classes come as near
to the shares as whole recordings allow. Written are lists beside a new data.yaml; no image is
moved or copied.
""",
        """\
  guardianflow data split site/data.yaml --by recording --val 0.2 --test 0.2
  guardianflow data split site --groups folder -o site-by-folder
  guardianflow data split site --by camera --groups '(?P<camera>cam\\d+)_' --json

\b
Exit codes: 0 written, and what falls short of what was asked is told; 2 bad input.
""",
    ),
)
