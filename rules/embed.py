#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue as tables of C: embed.py services.txt safesearch.txt OUT.c

"! service: NAME TITLE" and "! engine: NAME TITLE" begin an entry; its rules follow, a line each. Comments and blank
lines before the first entry are not kept. What is wrong with a file stops the build, with its line.
"""
import re
import sys


def fail(path, line, why):
    sys.exit(f"{path}:{line}: {why}")


def entries(path, word):
    """[(name, title, [rule])] of one file."""
    found = []
    with open(path, encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            line = line.rstrip("\n")
            head = re.fullmatch(rf"! {word}: ([a-z0-9-]+) (\S.*)", line)
            if head:
                if found and found[-1][0] >= head[1]:
                    fail(path, number, f"{head[1]}: names are in order, each once")
                found.append((head[1], head[2], []))
            elif line and not line.startswith("!"):
                if not found:
                    fail(path, number, f'a rule before the first "! {word}:"')
                if not line.isascii() or line != line.strip():
                    fail(path, number, "rules are ASCII, without blanks around them")
                found[-1][2].append(line)
            elif found and line:
                fail(path, number, f'a comment that is no "! {word}: NAME TITLE"')
    for name, _, rules in found:
        if not rules:
            sys.exit(f"{path}: {name} has no rules")
    return found


def literal(text):
    """A C string, byte by byte where it is more than letters."""
    return '"' + "".join(c if c.isascii() and c.isprintable() and c not in '"\\?' else
                         "".join(f"\\{b:03o}" for b in c.encode()) for c in text) + '"'


def table(out, name, found):
    out.write(f"const struct catalogue_entry {name}[] = {{\n")
    for key, title, rules in found:
        out.write(f"\t{{ {literal(key)}, {literal(title)},\n")
        for rule in rules:
            out.write(f"\t  {literal(rule + chr(10))}\n")
        out.write("\t},\n")
    out.write(f"}};\nconst uint32_t {name}_n = {len(found)};\n")


def main():
    services, engines = entries(sys.argv[1], "service"), entries(sys.argv[2], "engine")
    with open(sys.argv[3], "w", encoding="ascii") as out:
        out.write('/* Made by rules/embed.py. */\n#include "policy/catalogue_inner.h"\n\n')
        table(out, "catalogue_service_table", services)
        table(out, "catalogue_engine_table", engines)
        out.write("const char catalogue_safe_search[] =\n")
        for _, _, rules in engines:
            for rule in rules:
                out.write(f"\t{literal(rule + chr(10))}\n")
        out.write("\t;\n")


main()
