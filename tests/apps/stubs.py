"""Compares the modules with the stubs that are installed beside httpd's module.

Answers with one line for each difference.
"""

import ast
import importlib
import inspect
import os

METADATA = {"__doc__", "__loader__", "__name__", "__package__", "__path__", "__spec__"}


def is_public(name):
    return not name.startswith("_")


def stub_of(folder, name):
    """The public definitions of a stub, by name."""
    with open(os.path.join(folder, name + ".pyi")) as file:
        nodes = ast.parse(file.read()).body
    found = {}
    for node in nodes:
        if isinstance(node, ast.AnnAssign):
            found[node.target.id] = node
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
    return {name: node for name, node in found.items() if is_public(name)}


def parameters_of_stub(function):
    """Name, kind and default of each parameter."""
    arguments = function.args
    defaults = [None] * (len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults))
    defaults += [ast.literal_eval(node) for node in arguments.defaults]
    kinds = ["POSITIONAL_ONLY"] * len(arguments.posonlyargs)
    kinds += ["POSITIONAL_OR_KEYWORD"] * len(arguments.args)
    names = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    return list(zip(names, kinds, defaults))


def parameters(function):
    found = inspect.signature(function).parameters.values()
    empty = inspect.Parameter.empty
    return [(p.name, p.kind.name, None if p.default is empty else p.default) for p in found]


def differences_of_class(name, node, live):
    if node.bases and ast.unparse(node.bases[0]).split(".")[-1] != live.__bases__[0].__name__:
        yield f"{name}: base is {live.__bases__[0].__name__}"
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not hasattr(live, item.name):
            yield f"{name}.{item.name} is not there"
    documented = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    for own in filter(is_public, vars(live)):
        if own not in documented:
            yield f"{name}.{own} is not in the stub"


def differences_of(name, node, live):
    if isinstance(node, ast.FunctionDef):
        if parameters_of_stub(node) != parameters(live):
            yield f"{name}{inspect.signature(live)} has another signature"
        if not live.__doc__:
            yield f"{name} explains nothing"
    elif isinstance(node, ast.ClassDef):
        yield from differences_of_class(name, node, live)
    else:
        kind = ast.unparse(node.annotation).split("[")[0]
        if type(live).__name__ != kind:
            yield f"{name} is {type(live).__name__}, not {kind}"


def differences(folder, module):
    stub = stub_of(folder, module)
    live = importlib.import_module(module)
    names = {name for name in dir(live) if name not in METADATA}
    for name in sorted(names - set(stub)):
        yield f"{module}.{name} is not in the stub"
    for name, node in stub.items():
        if name not in names:
            yield f"{module}.{name} is not there"
        else:
            for text in differences_of(name, node, getattr(live, name)):
                yield f"{module}.{text}"


def application(environ, start_response):
    folder = environ["STUBS"]
    found = [text for module in ("mod_wsgi", "apache") for text in differences(folder, module)]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(found).encode()]
