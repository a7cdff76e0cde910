"""Command line: the ``apcampaign`` command, which calls `apcampaign.Campaign` and prints what it returns.

`cli` finds the commands, one file each in `commands`; they share `options`, and print through `display`.
"""
