"""What the rooms agree on: errors, results and ports. Standard library only."""
