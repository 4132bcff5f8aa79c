"""What every stage shares: its order, its process, its run, its inputs."""
