"""Shared by all stages: their order, their process, their run, their inputs."""
