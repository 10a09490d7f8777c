#!/usr/bin/env python3
"""Makes a manual page from what a program says of itself: man_page.py TEMPLATE PROGRAM > PAGE

TEMPLATE is the page in roff, but for two lines: @OPTIONS@ becomes the flags of PROGRAM --help, @VERBS@ its subcommands with
theirs. So the page knows no flag that the program does not, nor the other way round."""
import re
import subprocess
import sys


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def said(program, *path):
    return subprocess.run([program, *path, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout


def sections(text):
    """The titled lists of a help text: {title: [(what, description)]}."""
    found, title = {}, None
    for line in text.splitlines():
        if heading := re.fullmatch(r"(\S.*):", line):
            title = heading[1]
        elif not line.strip():
            continue
        elif not line.startswith("  "):
            title = None
        elif title and (entry := re.match(r"  (\S.*?)(?: REQUIRED)?(?: {2,}| (?<=REQUIRED )|$)(.*)", line)):
            found.setdefault(title, []).append((entry[1], entry[2].strip()))
        elif title and found.get(title):  # a description that did not fit beside its flag
            what, description = found[title][-1]
            found[title][-1] = what, f"{description} {line.strip()}".strip()
    return found


def flag(what):
    """-h,--help; --lifetime TEXT=1h; --cert FILE..."""
    names, _, argument = what.partition(" ")
    argument = re.sub(r"^TEXT|^UINT|^INT|^FLOAT", "VALUE", argument.replace(" ...", "..."))
    argument, _, default = argument.partition("=") if argument.startswith("VALUE=") else (argument, "", "")
    bold = ", ".join(f"\\fB{roff(name)}\\fR" for name in names.split(","))
    return bold + (f" \\fI{roff(argument)}\\fR" if argument else ""), default


def flags(lists, titles):
    lines = []
    for title, entries in lists.items():
        if title in ("Subcommands", "Positionals"):
            continue
        if titles and title != "Options":
            lines.append(f".SS {roff(title)}")
        for what, description in entries:
            name, default = flag(what)
            lines += [".TP", name, roff(description + (f" [{default}]" if default else ""))]
    return lines


def verbs(program, *path):
    lines = []
    for verb, description in sections(said(program, *path)).get("Subcommands", []):
        inner = said(program, *path, verb)
        lists = sections(inner)
        if "Subcommands" in lists:
            lines += verbs(program, *path, verb)
            continue
        usage = re.search(r"^Usage: \S+ (.*)$", inner, re.MULTILINE)[1]
        lines += [f".SS {roff(usage)}", roff(description + ".")]
        for what, description_of_it in lists.get("Positionals", []):
            name, _, _ = what.partition(" ")
            lines += [".TP", f"\\fI{roff(name)}\\fR", roff(description_of_it)]
        lines += flags({title: [e for e in entries if not e[0].startswith("-h,")] for title, entries in lists.items()}, False)
    return lines


def main():
    template, program = sys.argv[1:]
    with open(template, encoding="utf-8") as file:
        for line in file:
            if line == "@OPTIONS@\n":
                print("\n".join(flags(sections(said(program)), True)))
            elif line == "@VERBS@\n":
                print("\n".join(verbs(program)))
            else:
                print(line, end="")


if __name__ == "__main__":
    main()
