"""What pipelines cost: per hour, per turn in time, per token, and below which price one beats another."""
