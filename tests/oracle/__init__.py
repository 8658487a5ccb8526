"""A plain simulator, written from `docs/semantics.md`, that the kernel is compared with."""
