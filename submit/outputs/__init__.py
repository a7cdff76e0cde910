"""Outputs of a campaign's steps: what is made, what remains, and what must be put right before a step goes on.

`collections` keeps the CHAINED output collection of a step in order; `completed` finds the outputs that new
graphs can leave out since they are made, and `remaining` what is not done. `repair` registers outputs that runs
have left outside Butler, and rolls back associations that the campaign had planned, the APDB holds, and no run has
recorded.
"""
