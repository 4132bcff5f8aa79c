"""The `guardianflow` command."""
