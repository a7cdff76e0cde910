"""Sandbox: a miniature DC2 with a known truth, stand-in tasks, and the servers of one machine.

It is for machines without the Rubin stack. The flow: `survey` says what is observed (on `skymap` and
`focalplane`) and `sky` what is there; `camera` takes `exposure` images of it; `repository` puts them into
Butler under DC2's names; `create.create_sandbox` does all of this in a folder that appears complete or not at
all. ``ap_pipe/`` and ``drp_pipe/`` stand in for ``$AP_PIPE_DIR`` and ``$DRP_PIPE_DIR``; their pipelines run the
stand-in `tasks`, whose numerics are in `science`. `truth` is what a perfect survey would find, and `score`
compares a campaign with it. `servers` are HTCondor and PostgreSQL.

Nothing is imported here: every batch job pays for what this package imports.
"""
