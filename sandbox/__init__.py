"""A miniature DC2 and the servers of one machine, for machines without the Rubin stack.

`survey` says what is observed (on `skymap` and `focalplane`), `sky` simulates it as `exposure` images,
`repository` puts it into Butler under DC2's names, and `create` makes that a folder that is there whole or not
at all: `create.create_sandbox` is the door. ``ap_pipe/`` stands in for ``$AP_PIPE_DIR``; its pipelines run the
stand-in `tasks`. `servers` are HTCondor and PostgreSQL.

Nothing is imported here: every batch job pays for what this package imports.
"""
