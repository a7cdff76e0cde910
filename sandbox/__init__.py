"""A miniature DC2 and the servers of one machine, for machines without the Rubin stack."""
