"""Print the OpenAPI document that the types of the wire are generated from (``jlpm types``).

Its paths are left out: what the page calls, it calls by hand.
"""

from __future__ import annotations

import json

from jupyter_bgdl import __version__
from jupyter_bgdl.server.openapi import document
from jupyter_bgdl.server.routes import OPERATIONS

whole = document(OPERATIONS, __version__)
schemas = whole["components"]["schemas"]
# No version: the types are stale when they change, not when a release is made.
info = {"title": whole["info"]["title"], "version": "0"}
wire = {"openapi": whole["openapi"], "info": info, "paths": {}}
print(json.dumps({**wire, "components": {"schemas": schemas}}))
