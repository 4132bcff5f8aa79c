"""The kernel's own count of processes that it ended for lack of memory."""

from __future__ import annotations

from pathlib import Path

from pipelines.failures.memory_kills import memory_kills


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_the_count_of_the_own_group_comes_before_the_machines(tmp_path: Path) -> None:
    assert memory_kills(tmp_path) is None
    write(tmp_path, "proc/vmstat", "nr_free_pages 5\noom_kill 7\n")
    assert memory_kills(tmp_path) == 7
    write(tmp_path, "proc/self/cgroup", "0::/a.slice/b\n")
    write(tmp_path, "sys/fs/cgroup/memory.events", "oom 9\noom_kill 5\n")
    assert memory_kills(tmp_path) == 5, "of a container, whose group is mounted as the root"
    write(tmp_path, "sys/fs/cgroup/a.slice/b/memory.events", "low 0\noom 9\noom_kill 2\n")
    assert memory_kills(tmp_path) == 2
    write(tmp_path, "proc/self/cgroup", "4:memory:/x\n1:cpu,cpuacct:/x\n0::/none\n")
    control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
    write(tmp_path, "sys/fs/cgroup/memory/x/memory.oom_control", control)
    assert memory_kills(tmp_path) == 3


def test_this_machine_tells_or_does_not() -> None:
    count = memory_kills()
    assert count is None or count >= 0
