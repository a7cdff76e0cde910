"""The doors: the ``apcampaign`` command, one click command per file."""
