"""A miniature DC2 with a truth to score it by, and the servers of one machine: for want of the Rubin stack.

`survey` says what is observed (on `skymap` and `focalplane`), `sky` what is there, `camera` takes it as `exposure`
images, `repository` puts them into Butler under DC2's names, and `create` makes that a folder that is there whole
or not at all: `create.create_sandbox` is the door. ``ap_pipe/`` stands in for ``$AP_PIPE_DIR``; its pipelines run
the stand-in `tasks`, whose numerics are in `science`. `truth` is what a perfect survey would find, `score` (and
`figure`) how near a campaign has come. `servers` are HTCondor and PostgreSQL.

Nothing is imported here: every batch job pays for what this package imports.
"""
