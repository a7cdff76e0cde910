"""What comes before and after a campaign's runs: adopt what others submitted, retire, archive, start over.

Each of them reads what is there, decides in a pure function, shows the plan (``--dry-run``), and acts.
"""
