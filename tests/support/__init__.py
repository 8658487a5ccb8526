"""Small pipelines and workloads that tests share."""
