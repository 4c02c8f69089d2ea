"""The OpenAPI 3.1 document, generated from the table of operations and the structs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from jupyter_bgdl import errors, messages
from jupyter_bgdl.model import TOKEN_HEADER, Failure
from jupyter_bgdl.server.operations import NoParameters, Operation

_REFERENCE = "#/components/schemas/{name}"
_ALWAYS = (errors.NotAuthorized, errors.ServerUnavailable, errors.BackgroundTransferError)
_CHANNEL = (
    "A websocket; open it with a GET that asks for the upgrade. The client sends ClientMessage "
    "objects, the server ServerMessage objects, both tagged by `type`."
)


@lru_cache(maxsize=1)
def document(operations: tuple[Operation, ...], version: str) -> dict[str, Any]:
    """The document; the servers' addresses are relative to where it is served."""
    wanted: list[Any] = [Failure, messages.ClientMessage, messages.ServerMessage]
    wanted += [o.request for o in operations if o.request]
    wanted += [o.response for o in operations if o.response]
    schemas, components = msgspec.json.schema_components(wanted, ref_template=_REFERENCE)
    components["ClientMessage"], components["ServerMessage"] = schemas[1], schemas[2]
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    paths["/bgdl/channel"] = {
        "get": {
            "operationId": "channel",
            "summary": "State and events as they happen",
            "description": _CHANNEL,
            "responses": {
                "101": {"description": "The websocket is open"},
                **_failures((errors.NotAuthorized, errors.InvalidRequest)),
            },
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "jupyter_bgdl", "version": version},
        "servers": [{"url": "../", "description": "The Jupyter server's base URL"}],
        "security": [{"token": []}, {"kernel": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token <the Jupyter server's token>`",
                },
                "kernel": {
                    "type": "apiKey",
                    "in": "header",
                    "name": TOKEN_HEADER,
                    "description": "The secret from the server's credentials file",
                },
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "x-permission": f"bgdl:{operation.action}",
        "responses": {
            **_success(operation),
            **_failures((*_ALWAYS, errors.InvalidRequest, *operation.errors)),
        },
    }
    given = [
        *_parameters(operation.path_type, "path"),
        *_parameters(operation.query_type, "query"),
    ]
    if given:
        described["parameters"] = given
    if operation.request:
        described["requestBody"] = {"required": True, "content": _content(operation.request)}
        described["responses"]["413"] = _failure("quota_exceeded: the body is too large")
        described["responses"]["415"] = _failure("invalid_request: the body is not JSON")
    return described


def _success(operation: Operation) -> dict[str, Any]:
    if operation.document:
        json = {"application/json": {"schema": {"type": "object"}}}
        return {"200": {"description": "The document", "content": json}}
    if operation.binary:
        content: dict[str, Any] = {"application/octet-stream": {}}
        return {"200": {"description": "The bytes", "content": content}}
    if operation.response is None:
        return {"204": {"description": "Done"}}
    return {"200": {"description": "Done", "content": _content(operation.response)}}


def _failures(kinds: Iterable[type[errors.BackgroundTransferError]]) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        codes.setdefault(kind.status, []).append(kind.code)
    return {str(status): _failure(" or ".join(names)) for status, names in sorted(codes.items())}


def _failure(description: str) -> dict[str, Any]:
    return {"description": description, "content": _content(Failure)}


def _content(struct: type[msgspec.Struct]) -> dict[str, Any]:
    reference = _REFERENCE.format(name=struct.__name__)
    return {"application/json": {"schema": {"$ref": reference}}}


def _parameters(struct: type[msgspec.Struct], place: str) -> list[dict[str, Any]]:
    if struct is NoParameters:
        return []
    _, components = msgspec.json.schema_components([struct])
    schema = components[struct.__name__]
    return [
        {
            "name": name,
            "in": place,
            "required": place == "path",
            "schema": kind,
        }
        for name, kind in schema["properties"].items()
    ]
