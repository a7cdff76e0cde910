"""Makes it happen: submission, the chain of the two steps, and the ledger of runs."""
