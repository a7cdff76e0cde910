"""Commands of ``apcampaign``, one file each.

To add one: write a module of its name (``_`` for ``-``) whose click command is called ``command``, and list
it with its help line in `apcampaign.scripts.cli.COMMANDS`. The commands of a group such as ``apdb`` are
modules ``apdb_…``, or functions of the group's own module if they are short. A command reads its options,
calls `apcampaign.Campaign` or the package that does the work, and prints what that returns, human-readable
with `apcampaign.scripts.display` or as JSON. It decides nothing, and imports what is slow to import only when
it is called. A new option also goes through the method of `Campaign` that it is for (``src/apcampaign``).
"""
