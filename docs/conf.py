"""The documentation site: Sphinx reads the Markdown of the repository as it is.

The source folder is the repository, so that the links of a page are those that work in a checkout.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[1]

project = "Kioku"
html_title = "Kioku"
copyright = "the Kioku authors"  # noqa: A001 - Sphinx's name
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "packages/*/README.md"]
exclude_patterns = [
    "[.]*",
    "AGENTS.md",
    "bot",
    "build",
    "deploy",
    "memory",
    "tests",
    "**.egg-info",
]

extensions = ["myst_parser"]
# GitHub's Markdown: what MyST adds is off. (`myst_gfm_only` would leave links unresolved.)
myst_enable_extensions = ["alert", "gfm_autolink", "strikethrough", "tasklist"]
myst_disable_syntax = [
    "myst_block_break",
    "myst_line_comment",
    "myst_role",
    "myst_target",
]
myst_heading_anchors = 6
nitpicky = True

html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_search_scorer = str(ROOT / "docs" / "search.js")
html_copy_source = False
html_show_sourcelink = False

# The pages whose lists and tables of links are the navigation.
INDEXES = {root_doc, "docs/decisions/README"}
_RAW_FILE = re.compile(r'(?:src|srcset)="([^":]+)"')
_LOADED = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*\bsrc(?:set)?=\"(?:https?:)?//|"
    r"<link\b[^>]*\brel=\"(?:stylesheet|preload|preconnect|icon)\"[^>]*\bhref=\"(?:https?:)?//"
)


def resolve_links(app: Sphinx, doctree: nodes.document) -> None:
    """Let links lead to a folder's README, and to files that are no page of the site."""
    page = app.env.docname
    for link in list(doctree.findall(addnodes.pending_xref)):
        target = str(link["reftarget"])
        if link.get("refdomain") is None:
            folder = (ROOT / page).parent / target
            if not (folder / "README.md").is_file():
                continue
            target = os.path.relpath(folder / "README", ROOT)
            link.attributes.update(
                {"refdomain": "doc", "reftarget": target, "reftargetid": None}
            )
        if target in app.project.docnames or not (ROOT / f"{target}.md").is_file():
            continue
        file = os.path.relpath(ROOT / f"{target}.md", (ROOT / page).parent)
        other = addnodes.download_reference(
            "", "", *link.children, reftarget=file, refdoc=page
        )
        link.replace_self(other)


def add_navigation(app: Sphinx, doctree: nodes.document) -> None:
    """Add a table of contents of the pages that the lists and tables of an index link to."""
    if app.env.docname not in INDEXES:
        return
    top = next(doctree.findall(nodes.section))
    parts = [one for one in top.children if isinstance(one, nodes.section)]
    for part in parts if app.env.docname == root_doc else [top]:
        pages = {
            str(link["reftarget"]): link.astext() if part is not top else None
            for listed in part.findall(
                lambda one: isinstance(one, nodes.list_item | nodes.row)
            )
            for link in listed.findall(addnodes.pending_xref)
            if link.get("refdomain") == "doc" and not link.get("reftargetid")
        }
        caption = None if part is top else part.next_node(nodes.title).astext()
        part.append(_contents(app.env.docname, pages, caption))


def _contents(
    page: str, pages: dict[str, str | None], caption: str | None
) -> nodes.Node:
    """Return a table of contents: pages with their titles, where not those of the pages."""
    contents = addnodes.toctree(
        parent=page,
        entries=[(title, one) for one, title in pages.items()],
        includefiles=list(pages),
        rawentries=[],
        caption=caption,
        rawcaption="",
        maxdepth=-1,
        glob=False,
        hidden=True,
        includehidden=False,
        numbered=0,
        titlesonly=True,
    )
    return nodes.compound("", contents, classes=["toctree-wrapper"])


def join_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Remove the ends of lines of a Japanese page, which a browser would show as spaces.

    Between two words in Latin letters they stay.
    """
    if not _is_japanese(app.env.docname):
        return
    for text in list(doctree.findall(nodes.Text)):
        if text == "\n" and text.parent is not None:
            at = text.parent.index(text)
            before = "".join(one.astext() for one in text.parent.children[:at])
            after = "".join(one.astext() for one in text.parent.children[at + 1 :])
            if not (before[-1:] + after[:1]).isascii():
                text.parent.remove(text)


def _is_japanese(page: str) -> bool:
    return page.endswith(".ja")


def set_language(
    _app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Name the language of a Japanese page, for fonts and screen readers."""
    if _is_japanese(page):
        context["language"] = "ja"


def copy_raw_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Copy the files that raw HTML names to the same place in the site."""
    for raw in doctree.findall(nodes.raw):
        for name in _RAW_FILE.findall(raw.astext()):
            source = ((ROOT / app.env.docname).parent / name).resolve()
            copied = Path(app.outdir) / source.relative_to(ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copied)


def finish(app: Sphinx, problem: Exception | None) -> None:
    """Write the start page; fail if a page loads anything from elsewhere."""
    if problem is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    start = (
        f'<!doctype html><meta http-equiv="refresh" content="0; url={root_doc}.html">'
    )
    (out / "index.html").write_text(
        start + f'<a href="{root_doc}.html">Kioku</a>\n', "utf-8"
    )
    remote = [
        str(path.relative_to(out))
        for path in sorted(out.rglob("*.html"))
        if _LOADED.search(path.read_text("utf-8"))
    ]
    if remote:
        raise ExtensionError(
            f"These pages load files from other servers: {', '.join(remote)}"
        )


def setup(app: Sphinx) -> None:
    """Connect the steps; before Sphinx collects links and contents, which it does at 500."""
    app.connect("doctree-read", resolve_links, priority=100)
    app.connect("doctree-read", add_navigation, priority=200)
    app.connect("doctree-read", join_lines, priority=250)
    app.connect("doctree-read", copy_raw_pictures, priority=300)
    app.connect("html-page-context", set_language)
    app.connect("build-finished", finish)
