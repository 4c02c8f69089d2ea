"""The heart: ledger, journal, scheduler. Knows neither Jupyter nor tornado."""
