"""Checks the walls between the rooms of the tree: one line for each, "ok …" or "not ok …"."""

import pathlib
import re
import subprocess

LINES_MOST = 600
ALLOWED = {
    "base": {"base"},
    "tls": {"tls", "base"},
    "net": {"net", "tls", "base"},
    "http": {"http", "base"},
    "protocol": {"protocol", "base"},
    "endpoint": {"endpoint", "net", "tls", "http", "protocol", "base"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
ALLOCATION = re.compile(r"\b(?:malloc|calloc|realloc|strdup|strndup|aligned_alloc|asprintf)\s*\(")
BRIDGE_WORDS = re.compile(r"\b(?:Unmanaged|OpaquePointer|UnsafeMutable\w*)\b")


def repository_files():
    """Everything that is or could be committed."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    return [path for path in map(pathlib.Path, filter(None, names)) if path.is_file()]


def text_of(path):
    return path.read_text(encoding="utf-8")


def code_of(path):
    return STRING.sub('""', COMMENT.sub(" ", text_of(path)))


def wrong_includes(core):
    for path in core:
        room = path.parts[1]
        for name in INCLUDE.findall(text_of(path)):
            other = name.split("/")[0]
            if other in ALLOWED and other not in ALLOWED[room]:
                yield f"{path} includes {name}"


def stray_system_headers(core):
    for path in core:
        if path.parts[1] in ("net", "tls"):
            continue
        for name in INCLUDE.findall(text_of(path)):
            if name in ("uv.h", "openssl/ssl.h", "pthread.h"):
                yield f"{path} includes {name}"


def stray_allocations(core):
    for path in core:
        if path != pathlib.Path("csrc/base/allocator.c") and ALLOCATION.search(code_of(path)):
            yield f"{path} calls {ALLOCATION.search(code_of(path)).group()}"


def long_files(files):
    for path in files:
        if path.suffix in (".c", ".h", ".swift", ".py") or path.parts[0] == "scripts":
            lines = text_of(path).count("\n")
            if lines > LINES_MOST:
                yield f"{path} has {lines} lines"


def pointers_outside_bridge(files):
    for path in files:
        is_wrapper = path.suffix == ".swift" and path.parts[:2] == ("Sources", "Weft")
        if is_wrapper and "Bridge" not in path.parts and BRIDGE_WORDS.search(code_of(path)):
            yield f"{path} says {BRIDGE_WORDS.search(code_of(path)).group()}"


def strangers_in_core(files):
    for path in files:
        if path.parts[0] == "csrc" and (path.suffix not in (".c", ".h") or path.parts[1] not in ALLOWED):
            yield f"{path} does not belong there"


def tracked_products():
    names = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
    for name in names:
        if name.endswith("Package.resolved") or name.startswith((".build", "build", ".venv")):
            yield f"{name} is tracked"


def promises_for_later(files):
    for path in files:
        if path.suffix in (".c", ".h", ".swift") and re.search(r"\b(TODO|FIXME|XXX)\b", text_of(path)):
            yield f"{path} has a TODO"


def unkept_promises(files):
    names = []
    for path in files:
        if path.suffix == ".swift" and path.parts[:2] == ("Tests", "WeftTests"):
            for name in re.findall(r'@Test\(\s*"((?:\\.|[^"\\])*)"', text_of(path)):
                names += [name, *name.split(": ")[0].split(", ")]
    for line in text_of(pathlib.Path("Tests/promises.txt")).splitlines():
        begins = re.compile(re.escape(line) + r"(?!\w)")
        if line and not line.startswith("#") and not any(map(begins.match, names)):
            yield f"no test is named after {line}"


def main():
    files = repository_files()
    core = [path for path in files if path.parts[0] == "csrc" and path.suffix in (".c", ".h")]
    walls = {
        "a floor includes only floors below it": wrong_includes(core),
        "only net knows libuv, TLS and threads": stray_system_headers(core),
        "only base/allocator.c allocates": stray_allocations(core),
        f"no file is longer than {LINES_MOST} lines": long_files(files),
        "C pointers in Swift stay in the bridge": pointers_outside_bridge(files),
        "csrc holds C alone": strangers_in_core(files),
        "nothing built is tracked": tracked_products(),
        "no promises for later in the sources": promises_for_later(files),
        "every promise to users has a test of its name": unkept_promises(files),
    }
    for wall, problems in walls.items():
        problems = list(problems)
        print("not ok" if problems else "ok", wall + (": " + "; ".join(problems) if problems else ""))


main()
