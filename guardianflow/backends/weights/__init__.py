"""Weight files that a user or a trainer gives: looked at, opened, packaged."""
