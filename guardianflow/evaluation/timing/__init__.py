"""Takes times, loads and memory of detectors.

latency.py           detector + decoded images → LatencyResult, stage by stage
throughput.py        frames a second of a device that is kept busy
cameras.py           how many cameras a device holds
order_statistics.py  percentiles with intervals
conditions.py        how quiet the machine was in a stretch of time
quiet.py             keeps rounds of a quiet machine, and waits for one
process_load.py      CPU time of a process and its children; the cores it may use
system_metrics.py    CPU, memory and GPU, sampled beside the work
peak_memory.py       the most memory that this process held
gpu_counters.py      NVML, as far as there is one
"""
