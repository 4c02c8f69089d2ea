"""Which names a cell uses and does not define: a fresh kernel does not have them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

_SHELL = {"get_ipython", "display", "exit", "quit", "In", "Out", "_", "__", "___", "__file__"}
_DEFINED = {"__name__", "__doc__", "__builtins__", "__builtin__"}

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def free_names(code: str) -> list[str]:
    """In the order in which they come. Nothing for what Python cannot parse, which says so when it
    is run, or where ``import *`` may define anything."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return []
    if any(
        isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names)
        for node in ast.walk(tree)
    ):
        return []
    known = set(dir(builtins)) | _SHELL | _DEFINED | set(_bound(tree.body)) | _declared(tree)
    free: dict[str, None] = {}
    for statement in tree.body:
        for name in _free(statement, frozenset(known)):
            free[name] = None
    return list(free)


def _declared(tree: ast.Module) -> set[str]:
    """Names that functions make global."""
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}


def _bound(body: list[ast.stmt] | list[ast.expr]) -> Iterator[str]:
    """What these statements bind in their own scope, at any place: order is not looked at, since
    a name may be bound before a function that uses it is called."""
    nodes: list[ast.AST] = list(body)
    while nodes:
        node = nodes.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
                # Its body is another scope; ``:=`` in a default or decorator is not.
                nodes += node.decorator_list
                continue
            case ast.Lambda():
                continue
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    yield alias.asname or alias.name.partition(".")[0]
            case ast.Name(ctx=ast.Store() | ast.Del()):
                yield node.id
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
        nodes += ast.iter_child_nodes(node)


def _free(node: ast.AST, known: frozenset[str]) -> Iterator[str]:
    match node:
        case ast.Name(ctx=ast.Load()):
            if node.id not in known:
                yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            outside: list[ast.AST] = [*node.decorator_list, node.args]
            if node.returns is not None:
                outside.append(node.returns)
            for part in outside:
                yield from _free(part, known)
            inner = known | _arguments(node.args) | set(_bound(node.body))
            for statement in node.body:
                yield from _free(statement, inner)
        case ast.Lambda():
            yield from _free(node.args, known)
            yield from _free(node.body, known | _arguments(node.args))
        case ast.ClassDef():
            for base in [*node.decorator_list, *node.bases, *node.keywords]:
                yield from _free(base, known)
            # Methods do not see the class's own names; its statements do.
            inner = known | set(_bound(node.body))
            for statement in node.body:
                is_method = isinstance(statement, _Function)
                yield from _free(statement, known if is_method else inner)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            bound = {name for each in node.generators for name in _bound([each.target])}
            for child in ast.iter_child_nodes(node):
                yield from _free(child, known | bound)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _free(child, known)


def _arguments(arguments: ast.arguments) -> set[str]:
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return {one.arg for one in given}
