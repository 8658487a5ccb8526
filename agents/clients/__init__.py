"""Outside agents: programs that connect to the gateway over websockets and time it from where a user stands."""
