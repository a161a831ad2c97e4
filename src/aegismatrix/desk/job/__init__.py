"""The scheduled job: fetch, analyse, publish."""
