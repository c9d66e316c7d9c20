"""Writes the examples of the documentation as source files, so that a compiler can judge them.

Swift and C blocks of the Markdown files, and Swift blocks of doc comments in Sources/Weft. One source file for each
document: in Swift, declarations go into an enum named after it, where all its blocks see them, and statements into one
asynchronous function for each block. What every page takes for granted is given below. Lines that a page needs and
readers do not stand before a block as an HTML comment that begins with "swift:". The blocks of the README are a program
too, top_level/main.swift: statements outside of functions have rules of their own. A block behind a comment that begins
with "quote:" and names a file stands in that file, word for word, which is compiled elsewhere.

usage: doc_examples.py ROOT OUTPUT
"""

import pathlib
import re
import sys

PRELUDE = """import Weft
struct Echo: Service {}
struct Chat: Service {}
struct Printer: Service {}
struct Room: Service {
    init(_ name: String) {}
}
func isMember(_ authorization: String?) async -> Bool { authorization != nil }
"""
GIVEN = "caller: Caller, client: Client, listener: Listener, request: UpgradeRequest"
DECLARATION = re.compile(
    r"^(?:@\S+ )*(?:public |private |final )*(struct|class|actor|enum|protocol|extension|func|typealias) (\w+)"
)
QUOTE = re.compile(r"^<!-- quote: (?P<file>\S+) -->\n+```swift\n(?P<body>.*?)^```$\n", re.M | re.S)
FENCE = re.compile(r"^(?:<!-- swift:\n(?P<hidden>.*?)\n-->\n+)?```(?P<language>swift|c)\n(?P<body>.*?)^```$", re.M | re.S)


def blocks_of(text, language):
    """(line number, code) of each block, hidden lines first."""
    for found in FENCE.finditer(text):
        if found["language"] != language:
            continue
        line = text.count("\n", 0, found.start("body")) + 1
        yield line, (found["hidden"] + "\n" if found["hidden"] else "") + found["body"]


def without_quotes(root, page, text):
    """The text with its quotes blank, so that line numbers stay; a quote that its file does not have ends the program."""
    for quote in QUOTE.finditer(text):
        if quote["body"] not in (root / quote["file"]).read_text():
            line = text.count("\n", 0, quote.start()) + 1
            sys.exit(f"{page}:{line}: not in {quote['file']}")
    return QUOTE.sub(lambda quote: "\n" * quote[0].count("\n"), text)


def comments_of(text):
    """The doc comments of a Swift file, all else blank, so that line numbers stay."""
    lines = []
    for line in text.splitlines():
        found = re.match(r"^\s*/// ?(.*)$", line)
        lines.append(found[1] if found else "")
    return "\n".join(lines) + "\n"


def split(code):
    """Imports, declarations and statements of a block."""
    imports, declarations, statements = [], [], []
    lines = iter(code.splitlines())
    attributes = []
    for line in lines:
        if re.match(r"^(public |internal |private )?import ", line):
            imports.append(line)
        elif re.match(r"^@\w+\S*$", line) and line != "@main":
            attributes.append(line)
        elif line == "@main":
            continue
        elif found := DECLARATION.match(line):
            chunk = [*attributes, line]
            attributes = []
            is_whole = found[1] == "typealias" or line.endswith("}")
            while not is_whole:
                chunk.append(next(lines))
                is_whole = chunk[-1].startswith("}")
            declarations.append((found[1], found[2], "\n".join(chunk)))
        else:
            statements.append(line)
    return imports, declarations, statements


def swift_source(name, blocks):
    imports, at_file, inside, functions, taken = {"import Weft"}, [], [], [], set()
    for line, code in blocks:
        if code.startswith("."):
            continue  # a line of a package manifest
        block_imports, declarations, statements = split(code)
        imports.update(block_imports)
        local = []
        for kind, declared, chunk in declarations:
            if kind == "extension":
                at_file.append(chunk)
            elif declared in taken:
                local.append(chunk)
            else:
                taken.add(declared)
                inside.append(chunk)
        body = "\n".join(local + statements)
        if body.strip():
            functions.append(f"static func line{line}({GIVEN}) async throws {{\n{body}\n}}")
    if not inside and not functions:
        return None
    parts = [*sorted(imports), f"private enum {name} {{", *inside, *functions, "}", *at_file]
    return "\n".join(parts) + "\n"


def main(root, output):
    output.mkdir(parents=True, exist_ok=True)
    (output / "Prelude.swift").write_text(PRELUDE)
    pages = [*root.glob("*.md"), *root.glob("docs/*.md"), *root.glob("Sources/Weft/Weft.docc/**/*.md")]
    for page in sorted(pages):
        text = without_quotes(root, page, page.read_text())
        name = "Page_" + re.sub(r"\W", "_", str(page.relative_to(root)))
        if source := swift_source(name, blocks_of(text, "swift")):
            (output / f"{name}.swift").write_text(source)
        if code := "\n".join(body for _, body in blocks_of(text, "c")):
            (output / f"{name}.c").write_text("#include <weft/weft.h>\n" + code)
    (output / "top_level").mkdir(exist_ok=True)
    blocks = [code for _, code in blocks_of((root / "README.md").read_text(), "swift") if not code.startswith(".")]
    (output / "top_level/main.swift").write_text("".join(blocks))
    for file in sorted(root.glob("Sources/Weft/**/*.swift")):
        name = "Source_" + re.sub(r"\W", "_", str(file.relative_to(root / "Sources/Weft")))
        if source := swift_source(name, blocks_of(comments_of(file.read_text()), "swift")):
            (output / f"{name}.swift").write_text(source)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
