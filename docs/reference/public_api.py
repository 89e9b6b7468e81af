"""The public names of `memory` as Markdown: signatures and first paragraphs of docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def memory_api() -> str:
    """Return every public name of `memory` with its signature and what its docstring says first."""
    stub = ast.parse((ROOT / "memory" / "__init__.pyi").read_text("utf-8"))
    sections: dict[str, list[str]] = {}
    for imported in stub.body:
        if isinstance(imported, ast.ImportFrom):
            path = ROOT / "memory" / str(imported.module).replace(".", "/")
            package = str(imported.module).partition(".")[0]
            for alias in imported.names:
                told = _public(path, alias.name)
                sections.setdefault(package, []).append(f"#### `{alias.name}`\n\n{told}")
    return "\n\n".join(
        f"### `memory.{package}`\n\n" + "\n\n".join(told) for package, told in sections.items()
    )


def _public(path: Path, name: str) -> str:
    """Return the signature and the first paragraph of the docstring of a name."""
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    body = ast.parse(source.read_text("utf-8")).body
    for at, node in enumerate(body):
        match node:
            case ast.FunctionDef(name=own) | ast.AsyncFunctionDef(name=own) if own == name:
                return _block(_signature(node)) + _first_paragraph(node)
            case ast.ClassDef(name=own) if own == name:
                return _class(node)
            case ast.ImportFrom(module=str(module), names=names) if name in {
                one.asname or one.name for one in names
            }:
                if module.partition(".")[0] == "memory":
                    return _public(ROOT / module.replace(".", "/"), name)
                return f"`{name}` of `{module}`."
            case ast.Assign(targets=[ast.Name(id=own)]) if own == name:
                return _block(ast.unparse(node)) + _stated(body, at)
            case ast.AnnAssign(target=ast.Name(id=own)) if own == name:
                return _block(ast.unparse(node)) + _stated(body, at)
    raise ValueError(f"{name} was not found in {source}.")


def _stated(body: list[ast.stmt], at: int) -> str:
    """Return the docstring that follows a constant, if there is one."""
    match body[at + 1 : at + 2]:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return f"\n\n{_markdown(text.split(chr(10) * 2)[0])}"
    return ""


def _class(node: ast.ClassDef) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    lines = [f"class {node.name}({bases}):" if bases else f"class {node.name}:"]
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=own)) if not own.startswith("_"):
                lines.append(f"    {ast.unparse(item)}")
            case ast.FunctionDef(name=own) | ast.AsyncFunctionDef(name=own) if (
                own == "__init__" or not own.startswith("_")
            ):
                decorators = [f"    @{ast.unparse(one)}" for one in item.decorator_list]
                lines += [*decorators, f"    {_signature(item)}"]
    if len(lines) == 1:
        lines[0] += " ..."
    return _block("\n".join(lines)) + _first_paragraph(node)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{word} {node.name}({ast.unparse(node.args)}){returns}: ..."


def _block(text: str) -> str:
    return f"```python\n{text}\n```"


def _first_paragraph(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    text = ast.get_docstring(node) or ""
    return f"\n\n{_markdown(text.split(chr(10) * 2)[0])}" if text else ""


def _markdown(text: str) -> str:
    """Return a docstring's paragraph as Markdown, on one line."""
    return " ".join(text.replace("``", "`").split())
