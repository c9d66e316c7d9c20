"""For each weakness of advisories.txt there is a test that would have found it."""

import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


def advisories():
    for line in (HERE / "advisories.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, tests = line.split("|")
            yield pytest.param(re.split(r" (?=Tests/)", tests.strip()), id=name.strip())


@pytest.mark.parametrize("tests", list(advisories()))
def test_weakness_has_its_test(tests):
    for test in tests:
        path, name = test.split("::")
        source = (ROOT / path).read_text(encoding="utf-8")
        pattern = {".py": rf"^def {name}\(", ".c": rf"^static void {name}\(", ".swift": rf'@Test\(\s*"{re.escape(name)}'}
        assert re.search(pattern[pathlib.Path(path).suffix], source, re.MULTILINE), f"{name} is not in {path}"
