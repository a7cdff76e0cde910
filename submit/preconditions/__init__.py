"""What must hold at the moment when something is changed.

`obstacles` says what keeps a campaign from being submitted: runs that are active, errors of the preflight,
missing templates. `ledger_hold` keeps others from submitting while a decision is executed, and `apdb_hold` keeps
campaigns from filling an APDB while somebody changes it by hand.
"""
