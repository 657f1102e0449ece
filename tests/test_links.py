"""What the documents point at is there: files, headings, numbered decisions, the version that is cited."""

import re
from pathlib import Path

import affectory

ROOT = Path(affectory.__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub names them: lower case, hyphens for spaces, no other punctuation."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def dead_links(document: Path) -> list[str]:
    dead = []
    for path, anchor in LINK.findall(CODE.sub("", document.read_text())):
        if "://" in path:
            continue
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{document.relative_to(ROOT)}: {path}#{anchor}")
    return dead


def test_every_relative_link_of_a_document_leads_to_a_file_and_a_heading_that_are_there():
    assert [link for document in DOCUMENTS for link in dead_links(document)] == []


def test_decisions_are_numbered_without_a_gap():
    numbers = sorted(path.name[:4] for path in (ROOT / "docs/decisions").glob("*.md"))
    assert numbers == [f"{place:04}" for place in range(1, len(numbers) + 1)]


def test_every_decision_that_code_or_a_document_names_is_there():
    sources = [
        *DOCUMENTS,
        *(path for room in ("affectory", "assets", "ops", "resources") for path in ROOT.glob(f"{room}/**/*.py")),
    ]
    named = {name for path in sources for name in re.findall(r"decisions/([\w-]+\.md)", path.read_text())}
    assert named <= {path.name for path in (ROOT / "docs/decisions").glob("*.md")}


def test_the_version_that_is_cited_is_the_version_of_the_package():
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    packaged = re.search(r'^version = "(\S+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert cited and packaged and cited[1] == packaged[1]


def test_the_page_of_results_is_one_that_a_person_reads():
    assert len((ROOT / "docs/results.md").read_text().split()) <= 4_000


def test_every_file_of_full_tables_is_reached_from_the_page_of_results():
    page = (ROOT / "docs/results.md").read_text()
    assert [path.name for path in (ROOT / "docs/results").glob("*.md") if f"results/{path.name}" not in page] == []
