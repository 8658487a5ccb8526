"""A recording in formats of other programs: Parquet, CSV, JSON lines, OpenTelemetry traces."""
