"""Reads the report of an Autobahn run: "passed N", then one line for each case that failed."""

import json
import sys

GOOD = {"OK", "INFORMATIONAL", "NON-STRICT"}

with open(f"{sys.argv[1]}/index.json", encoding="utf-8") as report:
    (cases,) = json.load(report).values()

failures = {
    name: f"{case['behavior']}, {case['behaviorClose']}"
    for name, case in cases.items()
    if case["behavior"] not in GOOD or case["behaviorClose"] not in GOOD
}
print("passed", len(cases) - len(failures))
for name, verdict in failures.items():
    print("case", name, verdict)
if len(cases) < 300:
    print("case count", len(cases), "where 300 and more were expected")
