"""Where results go: the alert production database (APDB)."""
