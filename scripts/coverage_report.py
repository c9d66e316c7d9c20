"""Prints what llvm-cov measured of csrc, file by file and room by room; fails when a room is below its target.

Left out is what no test could reach, and what says in its line that it is "not covered", and why:
the other outcome of a switch without default, for the compiler sees to it that every value has its case.
Left out altogether is UNMEASURED.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

# Per cent of lines and of branches.
TARGETS = {
    "base": (100, 95),
    "http": (100, 95),
    "protocol": (100, 95),
    "net": (95, 0),
    "tls": (95, 0),
    "endpoint": (95, 0),
}
# The kernels over vectors: which of them run depends on the processor, and no processor has all.
UNMEASURED = re.compile(r"protocol/(kernels_\w+\.c|vector_kernels\.h)")
EXCUSE = re.compile(r"/\* not covered: \S.*\*/")
Part = collections.namedtuple("Part", "all missed")


def read_lines(path):
    """Of each file, how often each line ran."""
    counts = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            file = counts.setdefault(value, {})
        elif key == "DA":
            number, count = value.split(",")[:2]
            file[int(number)] = int(count)
    return counts


def read_branches(path):
    """Of each file, how often each condition was true and false, over all programs that have it."""
    counts = {}
    for measured in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["data"][0]["files"]:
        file = counts.setdefault(measured["filename"], {})
        for line, column, last_line, last_column, taken, not_taken, *_ in measured["branches"]:
            outcomes = file.setdefault((line, column, last_line, last_column), [0, 0])
            outcomes[0] += taken
            outcomes[1] += not_taken
    return counts


def outcomes_of(source, place, counts):
    """The outcomes of a condition that count, with the words for one that is missing."""
    line, column = place[:2]
    before, text = source[line - 1][: column - 1], source[line - 1][column - 1 :]
    if before.endswith("switch ("):
        return []
    if text.startswith(("case ", "default:")):
        return [(counts[0], "is never taken")]
    return [(counts[0], "is never true"), (counts[1], "is never false")]


def text_of(source, place):
    line, column, last_line, last_column = place
    return source[line - 1][column - 1 : last_column - 1 if last_line == line else None]


def judge(path, lines, branches):
    """Lines and branches of one file, and a sentence for each that is missing."""
    source = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    excused = {number for number, text in enumerate(source, 1) if EXCUSE.search(text)}
    counted = {number: count for number, count in lines.items() if number not in excused}
    missing = [(number, 0, "is never run") for number, count in counted.items() if count == 0]
    missed_lines = len(missing)
    total = 0
    for place, counts in branches.items():
        if place[0] in excused:
            continue
        outcomes = outcomes_of(source, place, counts)
        total += len(outcomes)
        missing += [
            (place[0], place[1], f"{text_of(source, place)} {words}") for count, words in outcomes if count == 0
        ]
    return Part(len(counted), missed_lines), Part(total, len(missing) - missed_lines), sorted(missing)


def percent(part):
    return 100 * (part.all - part.missed) / part.all if part.all else 100


def row(name, lines, branches):
    columns = (f"{part.all:7} {part.missed:7} {percent(part):7.2f}" for part in (lines, branches))
    print(f"{str(name):38} {'  '.join(columns)}")


def sum_of(parts):
    return Part(*(sum(column) for column in zip(*parts)))


def meets_target(room, parts):
    good = all(percent(part) >= target for part, target in zip(parts, TARGETS[room]))
    lines, branches = (f"{percent(part):.2f} of {target}" for part, target in zip(parts, TARGETS[room]))
    print(f"{'ok' if good else 'not ok'} {room}: per cent of lines {lines}, of branches {branches}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--missing", action="store_true")
    for name in ("root", "lines", "branches"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    root = pathlib.Path(arguments.root).resolve()
    branches = read_branches(arguments.branches)
    rooms = {room: [] for room in TARGETS}
    all_missing = []
    print(f"{'':38} {'lines':>7} {'missed':>7} {'%':>7}  {'branch':>7} {'missed':>7} {'%':>7}")
    for path, lines in sorted(read_lines(arguments.lines).items()):
        name = pathlib.Path(path).relative_to(root)
        if UNMEASURED.fullmatch(str(name)):
            continue
        *parts, missing = judge(path, lines, branches.get(path, {}))
        rooms[name.parts[0]].append(parts)
        row(name, *parts)
        all_missing += [f"{root.name}/{name}:{line}:{column} {words}" for line, column, words in missing]
    print()
    totals = {room: [sum_of(column) for column in zip(*files)] for room, files in rooms.items()}
    for room, parts in totals.items():
        row(room, *parts)
    row("all", *(sum_of(column) for column in zip(*totals.values())))
    if arguments.missing:
        print("\n".join(["", *all_missing]))
    print()
    sys.exit(0 if all([meets_target(room, parts) for room, parts in totals.items()]) else 1)


main()
