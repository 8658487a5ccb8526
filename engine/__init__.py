"""What happens and when: the simulation core, its latency models, workloads and measures."""
