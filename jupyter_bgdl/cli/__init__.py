"""``jupyter bgdl``: background transfers from a terminal, by REST to the running server."""
