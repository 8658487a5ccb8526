"""The server that outside agents connect to: protocols on sockets, requests on the simulated pipelines."""
