#!/usr/bin/env python3
"""Breaks one line of the library and says whether a test notices: the proof that the test proves something.

    mutate.py --at libturn/src/relay/channel.cpp:42 --test 'RFC 8656 12.2: a channel number below 0x4000 is answered 400'
    mutate.py --find libturn/src/relay/channel.cpp 'is_channel_number' --how never --test '...'
    mutate.py --list mutants.txt               one a line:  file:line | how | test title
    mutate.py --sweep libturn/src/relay/*.cpp  every if of these files becomes false, one at a time; any test of
                                               tests/conformance may notice; all of them cost one build together

How to break it (--how):
    delete   the statement that begins on this line is removed (an if statement with everything it guards)
    never    the condition of the if on this line becomes false (a ternary or boolean line: see replace)
    always   the condition becomes true
    negate   the condition is negated
    replace  --with 'FROM=>TO' on this line
    auto     an if: never; anything else: delete                                                  (default)

The tree is copied once to a scratch directory (--scratch) and built there without warnings as errors; each mutant
then costs one compilation and one link. Exit 0: the test fails with the mutant (it was killed). 1: it passes (it
survived). 2: the mutant does not compile, or the test fails without it or does not exist.
For developers; not part of any test run.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIED = ["CMakeLists.txt", "cmake", "libturn", "tests", "examples"]


class Broken(Exception):
    """The mutant cannot be judged."""


def synchronise(scratch):
    """Brings the copy up to date; equal files keep their time stamp, so only what changed is built again."""
    wanted = set()
    for name in COPIED:
        source = ROOT / name
        files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
        for path in files:
            relative = path.relative_to(ROOT)
            if "node_modules" in relative.parts or "__pycache__" in relative.parts:
                continue
            wanted.add(relative)
            target = scratch / "tree" / relative
            if relative.as_posix() == "cmake/warnings.cmake":
                text = path.read_text().replace("-Werror", "")  # a mutant may leave a variable unused
                if not target.exists() or target.read_text() != text:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text)
            elif not target.exists() or target.read_bytes() != path.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    for path in [p for p in (scratch / "tree").rglob("*") if p.is_file()]:
        if path.relative_to(scratch / "tree") not in wanted:
            path.unlink()


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", **more)


def build(scratch, jobs):
    build_dir = scratch / "build"
    if not (build_dir / "build.ninja").exists():
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        configured = run(["cmake", "-S", scratch / "tree", "-B", build_dir, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                          "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DTURN_DAEMON=OFF", "-DTURN_BENCH=OFF", "-DTURN_INSTALL=OFF",
                          *launcher])
        if configured.returncode != 0:
            raise Broken("cmake failed\n" + configured.stdout)
    built = run(["ninja", "-k", "0", "-C", build_dir, f"-j{jobs}", "turn-tests"])
    if built.returncode != 0:
        raise Broken("does not compile\n" + "\n".join(built.stdout.splitlines()[-25:]))
    return build_dir / "tests" / "turn-tests"


def failure(program, title):
    """None when the test passes, else who failed; a crash or a hang is a failure. No title: all conformance tests."""
    chosen = f"--test-case={title}" if title else "--source-file=*/tests/conformance/*,*/tests/unit/authentication_*"
    if title and title not in run([program, "--list-test-cases", chosen]).stdout:
        raise Broken(f"no such test: {title}")
    try:
        done = run([program, chosen, "--no-version"], timeout=60)
    except subprocess.TimeoutExpired:
        return "a hang"
    if done.returncode == 0:
        return None
    failed = re.findall(r"^TEST CASE:  (.*)$", done.stdout, re.MULTILINE)
    return failed[0] if failed else "a crash"


def matching(text, start, opening, closing):
    """The index of the bracket that closes the one at `start`; strings and comments are skipped."""
    depth, i = 0, start
    while i < len(text):
        if text.startswith("//", i):
            i = text.index("\n", i)
        elif text[i] in "\"'" and not (text[i] == "'" and i > 0 and text[i - 1].isalnum()):
            quote, i = text[i], i + 1
            while text[i] != quote:
                i += 2 if text[i] == "\\" else 1
        elif text[i] == opening:
            depth += 1
        elif text[i] == closing:
            depth -= 1
            if depth == 0:
                return i
        i += 1
    raise Broken(f"no closing {closing}")


def end_of_statement(text, start):
    """Just behind the statement that begins at `start`."""
    head = re.compile(r"(?:else\s+)?(?:if|for|while|switch)\b\s*(?:constexpr\s*)?").match(text, start)
    if head:
        after = matching(text, text.index("(", head.end() - 1), "(", ")") + 1
        inner = re.compile(r"\s*").match(text, after).end()
        end = matching(text, inner, "{", "}") + 1 if text[inner] == "{" else end_of_statement(text, inner)
        follow = re.compile(r"\s*else\b\s*").match(text, end)
        if not follow:
            return end
        inner = follow.end()
        return matching(text, inner, "{", "}") + 1 if text[inner] == "{" else end_of_statement(text, inner)
    i = start
    while text[i] != ";":
        i = matching(text, i, text[i], {"(": ")", "{": "}", "[": "]"}[text[i]]) if text[i] in "({[" else i
        i += 1
    return i + 1


def mutated(text, line, how, replacement):
    lines = text.splitlines(keepends=True)
    if not 1 <= line <= len(lines):
        raise Broken(f"there is no line {line}")
    begin = sum(len(l) for l in lines[: line - 1])
    begin += len(lines[line - 1]) - len(lines[line - 1].lstrip())
    is_if = re.compile(r"(?:\}\s*)?(?:else\s+)?if\b").match(text, begin)
    if how == "auto":
        how = "never" if is_if else "delete"

    if how == "replace":
        old, new = replacement.split("=>", 1)
        if old not in lines[line - 1]:
            raise Broken(f"'{old}' is not on line {line}")
        lines[line - 1] = lines[line - 1].replace(old, new, 1)
        return "".join(lines)
    if how == "delete":
        end = end_of_statement(text, begin)
        return text[:begin] + ";" + text[end:]
    if not is_if:
        raise Broken(f"no if on line {line}: use delete or replace")
    wanted = {"never": " false && ({})", "always": " true || ({})", "negate": " !({})"}[how]
    return with_condition(text, begin, wanted.format)


def split_initialiser(condition):
    """The parts of `init; condition`; a semicolon inside a lambda is none of them."""
    depth, found = 0, -1
    for i, c in enumerate(condition):
        depth += (c in "({[") - (c in ")}]")
        if c == ";" and depth == 0:
            found = i
    return (condition[:found], ";", condition[found + 1 :]) if found >= 0 else ("", "", condition)


def with_condition(text, begin, change):
    """The if that begins at `begin` gets the condition `change` makes of its own."""
    opening = text.index("(", begin)
    closing = matching(text, opening, "(", ")")
    condition = text[opening + 1 : closing]
    initialiser, semicolon, rest = split_initialiser(condition)
    declaration = re.match(r"\s*(?:const\s+)?(?:auto|bool|\w+(?:::\w+)*)\s*[*&]*\s*(\w+)\s*=(?!=)", rest)
    if declaration:  # if (auto x = f()): keep the name, judge it
        initialiser, semicolon, rest = initialiser + semicolon + rest, ";", declaration.group(1)
    return text[: opening + 1] + initialiser + semicolon + change(rest) + text[closing:]


def judge(scratch, jobs, file, line, how, replacement, title):
    target = scratch / "tree" / file
    original = target.read_text()
    changed = mutated(original, line, how, replacement)
    print(f"mutant: {file}:{line} ({how}): {original.splitlines()[line - 1].strip()}")
    try:
        target.write_text(changed)
        noticed_by = failure(build(scratch, jobs), title)
    finally:
        target.write_text(original)
    print(f"  KILLED by: {noticed_by}" if noticed_by else f"  SURVIVED: {title or 'every test'}", flush=True)
    return noticed_by is not None


# Compiled into every file of a sweep: all mutants in one program, chosen by the environment.
CHOOSER = """#pragma once
#include <cstdlib>
inline bool turn_mutant(int n) {
    static const int chosen = std::getenv("TURN_MUTANT") ? std::atoi(std::getenv("TURN_MUTANT")) : 0;
    return n == chosen;
}
"""


def sweep(scratch, jobs, files):
    """Every if of these files becomes false, one at a time. Returns the mutants nobody noticed."""
    chooser = scratch / "tree" / "mutant_chooser.hpp"
    chooser.write_text(CHOOSER)
    originals, ifs = {}, []
    try:
        for file in files:
            target = scratch / "tree" / file
            originals[target] = text = target.read_text()
            lines = text.splitlines(keepends=True)
            offsets = [sum(map(len, lines[:n])) for n in range(len(lines))]
            places = [n for n, l in enumerate(lines, 1) if re.match(r"\s*(?:\}\s*)?(?:else\s+)?if \(", l)]
            ifs += [(file, n) for n in places]
            number = len(ifs)
            for n in reversed(places):  # from behind, so that the line numbers in front stay
                begin = offsets[n - 1] + len(lines[n - 1]) - len(lines[n - 1].lstrip())
                text = with_condition(text, begin, lambda c, k=number: f" !turn_mutant({k}) && ({c})")
                number -= 1
            target.write_text(f'#include "{chooser}"\n#line 1\n' + text)
        program = build(scratch, jobs)
        if noticed := failure(program, None):
            raise Broken(f"fails without any mutant: {noticed}")
        survivors = []
        for k, (file, line) in enumerate(ifs, 1):
            os.environ["TURN_MUTANT"] = str(k)
            noticed_by = failure(program, None)
            source = (ROOT / file).read_text().splitlines()[line - 1].strip()
            print(f"{file}:{line}: {source}\n  " + (f"KILLED by: {noticed_by}" if noticed_by else "SURVIVED"), flush=True)
            if not noticed_by:
                survivors.append((file, line, source))
        return len(ifs), survivors
    finally:
        os.environ.pop("TURN_MUTANT", None)
        for target, text in originals.items():
            target.write_text(text)


def find_line(file, pattern):
    hits = [n for n, l in enumerate((ROOT / file).read_text().splitlines(), 1) if re.search(pattern, l)]
    if len(hits) != 1:
        raise Broken(f"'{pattern}' is on {len(hits)} lines of {file}: {hits}")
    return hits[0]


def mutants(arguments):
    if arguments.list:
        for row in pathlib.Path(arguments.list).read_text().splitlines():
            if row.strip() and not row.startswith("#"):
                place, how, title = (part.strip() for part in row.split("|", 2))
                how, _, replacement = how.partition(" ")
                file, _, line = place.rpartition(":")
                yield file, int(line), how, replacement, title
        return
    if arguments.find:
        file, pattern = arguments.find
        line = find_line(file, pattern)
    else:
        file, _, line = arguments.at.rpartition(":")
    yield file, int(line), arguments.how, arguments.replacement, arguments.test


def main():
    parser = argparse.ArgumentParser(description="breaks one line and asks a test", epilog="see the head of this file")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--at", metavar="FILE:LINE")
    place.add_argument("--find", nargs=2, metavar=("FILE", "PATTERN"), help="the one line that matches")
    place.add_argument("--list", metavar="FILE")
    place.add_argument("--sweep", nargs="+", metavar="FILE")
    parser.add_argument("--how", choices=["auto", "delete", "never", "always", "negate", "replace"], default="auto")
    parser.add_argument("--with", dest="replacement", metavar="FROM=>TO", default="")
    parser.add_argument("--test", metavar="TITLE")
    parser.add_argument("--scratch", default=os.path.join(tempfile.gettempdir(), f"libturn-mutants-{os.getuid()}"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if not (arguments.list or arguments.sweep or arguments.test):
        parser.error("--test is needed")

    scratch = pathlib.Path(arguments.scratch)
    (scratch / "tree").mkdir(parents=True, exist_ok=True)
    try:
        synchronise(scratch)
        program = None if arguments.sweep else build(scratch, arguments.jobs)
    except Broken as why:
        sys.exit(f"the unchanged tree: {why}")

    if arguments.sweep:
        try:
            count, survivors = sweep(scratch, arguments.jobs, arguments.sweep)
        except Broken as why:
            sys.exit(f"no verdict: {why}")
        print(f"{count} mutants, {len(survivors)} survived")
        for file, line, source in survivors:
            print(f"  {file}:{line}: {source}")
        sys.exit(1 if survivors else 0)

    worst = 0
    for file, line, how, replacement, title in mutants(arguments):
        try:
            if title and failure(program, title):
                raise Broken(f"fails without any mutant: {title}")
            worst = max(worst, 0 if judge(scratch, arguments.jobs, file, line, how, replacement, title) else 1)
        except Broken as why:
            print(f"  no verdict: {why}", flush=True)
            worst = 2
    build(scratch, arguments.jobs)  # leaves the unchanged program behind for the next run
    sys.exit(worst)


if __name__ == "__main__":
    main()
