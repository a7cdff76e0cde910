"""Helpers of every package: errors, atomic files, secrets, and the access to Butler and HTCondor.

Nothing here knows about campaigns; nothing here imports another package of apcampaign.
"""
