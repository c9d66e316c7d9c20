"""Compares a report of the Autobahn suite with the verdicts that are accepted.

usage: verdicts.py REPORT AGENT SUITE [--all]    AGENT: its last word is server or client; SUITE: fast or original

Prints "ok COUNT SUMMARY" for the cases that are as accepted, then "not ok SENTENCE" for each other one.
"""

import collections
import csv
import json
import pathlib
import sys

TABLE = pathlib.Path(__file__).with_name("verdicts.tsv")


def accepted():
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file, delimiter="\t")}


def long_cases():
    """Those that run with --all alone."""
    return {case for case, row in accepted().items() if row["run"] == "all"}


def verdict(entry):
    """One word where both halves of a verdict are the same, about what was said and about the close."""
    said, closed = entry["behavior"], entry["behaviorClose"]
    return said if said == closed else f"{said}, close {closed}"


def order(case):
    return [int(number) for number in case.split(".")]


def compare(expected, found):
    """The sentences about what differs, case by case."""
    for case in sorted(expected.keys() | found.keys(), key=order):
        if case not in found:
            yield f"{case} did not run"
        elif case not in expected:
            yield f"{case} is {found[case]}, and not among those that are accepted"
        elif found[case] != expected[case]:
            yield f"{case} is {found[case]}, where {expected[case]} is accepted"


def read_report(directory):
    """The verdicts by case. kosoku names the agent of a case that failed by another name."""
    try:
        agents = json.loads(pathlib.Path(directory, "index.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {case: verdict(entry) for cases in agents.values() for case, entry in cases.items()}


def main():
    directory, agent, suite = sys.argv[1:4]
    role = agent.rpartition("-")[2]
    left_out = set() if "--all" in sys.argv[4:] else long_cases()
    expected = {case: row[f"{suite} {role}"] for case, row in accepted().items() if case not in left_out}
    found = read_report(directory)
    good = [word for case, word in found.items() if expected.get(case) == word]
    counts = collections.Counter(good).most_common()
    summary = ", ".join(f"{count} {word}" for word, count in counts)
    print(f"ok {len(good)} {agent}, {suite} suite: {summary}")
    for sentence in compare(expected, found):
        print(f"not ok {agent}, {suite} suite: {sentence}")


if __name__ == "__main__":
    main()
