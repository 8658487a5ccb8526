"""`python -m subsecond.tui.cli`: the command `subsecond`."""

from subsecond.tui.cli.app import main

main()
