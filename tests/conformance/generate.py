#!/usr/bin/env python3
"""Writes docs/conformance.md from tests/conformance/requirements/*.tsv and the test titles found in tests/.

    generate.py            writes the document
    generate.py --check    writes nothing; exit 1 and say why when
                             - the document is out of date,
                             - a requirement names a test that does not exist,
                             - a requirement has neither test nor owner, or an owner nobody knows,
                             - two tests have the same title (a title must name one test).

A requirements file begins with "# Title" and free text lines ("# ..."), then one requirement a line, separated by
tabs: section, level, the requirement in our words, titles of the tests that prove it (separated by " ; "), owner.
"owner" names the later work a requirement waits for (OWNERS below), "operator", or the decision by which libturn
differs ("decision 0008"); a requirement with a decision needs a test of what libturn does instead.
"""
import argparse
import collections
import difflib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "tests" / "conformance" / "requirements"
DOCUMENT = ROOT / "docs" / "conformance.md"

# Who owns what no test proves yet.
OWNERS = {
    "client connections": "connections that turn::client opens itself; today the program that uses it does",
    "RFC 6062": "relaying TCP",
    "RFC 3489": "answers to classic STUN, off unless asked for",
    "SHA-256 and USERHASH": "MESSAGE-INTEGRITY-SHA256, PASSWORD-ALGORITHM(S), USERHASH and the nonce cookie that announces them",
    "redirects": "300 Try Alternate in a cluster",
    "kernel": "done by Linux, whose sockets have no say in it",
    "discovery": "finding a server by DNS",
    "operator": "a choice of whoever runs the server, documented in docs/operating.md",
    "application": "a choice of the program that uses the library",
}
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "rule"}

Requirement = collections.namedtuple("Requirement", "file line section level text tests owner")
Part = collections.namedtuple("Part", "file title intro requirements")

LITERAL = r'"(?:[^"\\]|\\.)*"'
TEST_CASE = re.compile(r"TEST_CASE(?:_FIXTURE|_TEMPLATE)?\(\s*(?:\w+\s*,\s*)?((?:%s\s*)+)" % LITERAL)


def titles():
    """Every test title below tests/, with the files that have it."""
    found = collections.defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*_test.cpp")):
        for match in TEST_CASE.finditer(path.read_text(encoding="utf-8")):
            title = "".join(part[1:-1] for part in re.findall(LITERAL, match.group(1)))
            found[title].append(path.relative_to(ROOT).as_posix())
    return found


def read_part(path):
    title, intro, requirements = path.stem, [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            text = line[1:].strip()
            if number == 1:
                title = text
            elif text:
                intro.append(text)
        elif line.strip():
            fields = [field.strip() for field in line.split("\t")]
            if len(fields) < 4 or len(fields) > 5:
                sys.exit(f"{path.name}:{number}: {len(fields)} fields instead of 4 or 5, separated by tabs")
            fields += [""] * (5 - len(fields))
            section, level, text, tests, owner = fields
            named = [test.strip() for test in tests.split(" ; ") if test.strip()]
            requirements.append(Requirement(path.name, number, section, level, text, named, owner))
    return Part(path.name, title, " ".join(intro), requirements)


def problems(parts, found):
    for part in parts:
        for r in part.requirements:
            where = f"{r.file}:{r.line} ({r.section})"
            if r.level not in LEVELS:
                yield f"{where}: unknown level '{r.level}'"
            for test in r.tests:
                if test not in found:
                    near = difflib.get_close_matches(test, found, n=1, cutoff=0.5)
                    hint = f"; nearest: {near[0]}" if near else ""
                    yield f"{where}: no such test: {test}{hint}"
            if re.fullmatch(r"decision \d{4}", r.owner):
                if not r.tests:
                    yield f"{where}: differs by {r.owner}, but no test shows what libturn does instead"
            elif r.owner and r.owner not in OWNERS:
                yield f"{where}: unknown owner '{r.owner}'"
            if not r.tests and not r.owner:
                yield f"{where}: neither test nor owner: {r.text}"
    for title, files in found.items():
        if len(files) > 1:
            yield f"two tests with one title: {title} ({', '.join(files)})"


def cell(text):
    return text.replace("|", "\\|")


def document(parts, found):
    out = [
        "# Conformance",
        "",
        "What the RFCs ask of this software, and the test that proves it. Generated by `tests/conformance/generate.py` from",
        "`tests/conformance/requirements/` and the test titles in `tests/`; a test fails when this page is out of date, names a",
        "test that does not exist, or lists a requirement with neither test nor owner. Requirements are paraphrased; the RFC",
        "has the last word.",
        "",
        "| Part | Requirements | Proven by tests | Later work or others |",
        "|---|---:|---:|---:|",
    ]
    for part in parts:
        proven = sum(1 for r in part.requirements if r.tests)
        total = len(part.requirements)
        out.append(f"| {part.title} | {total} | {proven} | {total - proven} |")
    used = {r.owner for part in parts for r in part.requirements if r.owner in OWNERS}
    out += ["", "Owners of what is not proven here:", ""]
    out += [f"- **{owner}**: {OWNERS[owner]}." for owner in OWNERS if owner in used]

    for part in parts:
        out += ["", f"## {part.title}", ""]
        if part.intro:
            out += [part.intro, ""]
        out += ["| Section | Level | Requirement | Proof |", "|---|---|---|---|"]
        for r in part.requirements:
            proof = [f"{cell(test)} (`{found[test][0].removeprefix('tests/')}`)" for test in r.tests if test in found]
            if r.owner in OWNERS:
                proof.append(f"*{r.owner}*")
            elif r.owner:
                proof.append(f"differs: {r.owner}")
            out.append(f"| {r.section} | {r.level} | {cell(r.text)} | {'<br>'.join(proof)} |")

    named = {test for part in parts for r in part.requirements for test in r.tests}
    rest = collections.defaultdict(list)
    for title, files in found.items():
        if files[0].startswith("tests/conformance/") and title not in named:
            rest[files[0]].append(title)
    if rest:
        out += ["", "## Further conformance tests", "", "Edges of the rules above, each worth a test of its own.", ""]
        for path in sorted(rest):
            out += [f"- `{path.removeprefix('tests/')}`"] + [f"  - {title}" for title in rest[path]]
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description="conformance list from requirements and test titles")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when something is wrong")
    arguments = parser.parse_args()

    found = titles()
    parts = [read_part(path) for path in sorted(REQUIREMENTS.glob("*.tsv"))]
    wrong = list(problems(parts, found))
    text = document(parts, found)
    if arguments.check:
        if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
            wrong.append("docs/conformance.md is out of date: run tests/conformance/generate.py")
    else:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(text, encoding="utf-8")
    for problem in wrong:
        print(problem, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
