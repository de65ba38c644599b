#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of this project that no compiler checks. One function a rule; each names file, line and what to do.

    check.py [--root DIR] [RULE...]     prints findings, exit status 1 if there are any
    check.py --list                     names the rules
    check.py --selftest                 shows that every rule finds what it is there to find
"""
import argparse
import ast
import os
import re
import sys
import tempfile

LAYERS = ("base", "format", "protocol", "policy", "engine")
PROGRAMS = ("fcgi", "pushd", "pushctl")
FILE_LINES = 500
FUNCTION_LINES = 60
PARAMETERS = 6
# Where a foreign header may be included: prefixes of paths.
HOMES = {
    "libwebsockets.h": ("pushd/worker/ws", "pushd/main.c", "pushd/version"),
    "microhttpd.h": ("pushd/admin/", "pushd/main.c", "pushd/version", "tests/"),
    "hiredis/async.h": ("pushd/control/", "tests/"),
    "hiredis/hiredis.h": ("fcgi/", "pushctl/", "pushd/control/", "pushd/main.c", "pushd/version", "common/engine/",
                          "tests/"),
    "hiredis/read.h": ("common/engine/", "fcgi/", "pushd/control/", "tests/"),
    "jwt.h": ("common/policy/token_", "tests/unit/", "pushd/main.c", "fcgi/main.c", "pushctl/"),
    "fcgiapp.h": ("fcgi/", "tests/"),
    "jansson.h": ("common/policy/", "fcgi/", "pushctl/", "pushd/admin/", "pushd/main.c", "tests/unit/"),
    "liburing.h": ("pushd/worker/", "tests/"),
    "ev.h": ("pushd/", "tests/"),
    "curl/curl.h": ("common/base/fetch", "pushd/fetch/"),
}
# Names that belong to the libraries; ours must not look like theirs.
FOREIGN_PREFIXES = re.compile(r"^(json_|jwt_|lws_|MHD_|FCGX_|ev_|io_uring_|clock_|redis(?!_))")
GENERATED = {"aclocal.m4", "config.h", "config.h.in"}
SKIPPED_FOLDERS = {".git", "autom4te.cache", "build-aux", "_build", "node_modules", "__pycache__"}


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read()


def files(root, *suffixes):
    """Paths below root, relative to it, in order."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS
                            and not name.startswith(("build", ".")) and not name.endswith(".in"))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if path not in GENERATED and (not suffixes or path.endswith(suffixes)):
                yield path


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_of(text):
    """C without comments and the insides of literals; every line stays where it is."""
    literal = r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"
    return re.sub(r"/\*.*?\*/|//[^\n]*|" + literal, blank, text, flags=re.S)


FUNCTION = re.compile(r"^(?![#{}])([^\n;={}]+(?:\n[^\n;={}]+)*?)\n\{\n(.*?)^\}", re.S | re.M)


def functions(text):
    """(name, signature, line of its start, lines of its body, whether static) of each function of a C file."""
    code = code_of(text)
    for match in FUNCTION.finditer(code):
        signature = match.group(1)
        name = re.search(r"(\w+)\s*\(", signature)
        if name and signature.rstrip().endswith(")"):
            line = code.count("\n", 0, match.start()) + 1
            body = match.group(2)
            yield name.group(1), signature, line, body, "static" in signature.split("(")[0].split()


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1)


# ---------------------------------------------------------------------------------------- the rules

def rule_layers(root):
    """common/ includes downwards only; programs never include each other."""
    for path in files(root, ".c", ".h"):
        parts = path.split("/")
        for line, name in includes(text_of(os.path.join(root, path))):
            target = name.split("/")
            if parts[0] == "common":
                own = LAYERS.index(parts[1])
                if target[0] in PROGRAMS:
                    yield f"{path}:{line}: common/ must not know {target[0]}/"
                elif target[0] == "common" and LAYERS.index(target[1]) > own:
                    yield f"{path}:{line}: {parts[1]} is below {target[1]} and must not include {name}"
            elif parts[0] in PROGRAMS and target[0] in PROGRAMS and target[0] != parts[0]:
                yield f"{path}:{line}: {parts[0]} must not include {name}; share it through common/"
            elif parts[0] != "tests" and target[0] == "tests":
                yield f"{path}:{line}: the product must not include {name}"


def rule_homes(root):
    """Each foreign header is included in its home only."""
    for path in files(root, ".c", ".h"):
        for line, name in includes(text_of(os.path.join(root, path))):
            homes = HOMES.get(name)
            if homes and not path.startswith(homes):
                yield f"{path}:{line}: <{name}> lives in {', '.join(homes)}"


def rule_sizes(root):
    """Files, functions and parameter lists stay small enough to be read at once."""
    for path in files(root, ".c", ".h"):
        text = text_of(os.path.join(root, path))
        lines = text.count("\n")
        if lines > FILE_LINES:
            yield f"{path}: {lines} lines, at most {FILE_LINES}: find the second thing it does and move it out"
        for name, signature, line, body, _static in functions(text):
            if body.count("\n") > FUNCTION_LINES:
                yield f"{path}:{line}: {name} has {body.count(chr(10))} lines, at most {FUNCTION_LINES}"
            depth = commas = 0
            for char in signature[signature.index("("):]:
                depth += (char == "(") - (char == ")")
                commas += char == "," and depth == 1
            dictated = "struct MHD_Connection *" in signature  # a callback whose form the library prescribes
            if commas >= PARAMETERS and not dictated:
                yield f"{path}:{line}: {name} takes {commas + 1} parameters, at most {PARAMETERS}: pass a struct"


def rule_heads(root):
    """Every file starts with its licence; C files say in one sentence what they are."""
    for path in files(root, ".c", ".h"):
        lines = text_of(os.path.join(root, path)).split("\n")
        if lines[0] != "/* SPDX-License-Identifier: Apache-2.0 */":
            yield f"{path}:1: the first line has to be /* SPDX-License-Identifier: Apache-2.0 */"
        elif not re.match(r"/\* \S", lines[1]):
            yield f"{path}:2: a comment of one sentence has to say what this file is"
        elif "*/" in lines[1] and not lines[1].rstrip().endswith((". */", "? */", ": */")):
            yield f"{path}:2: the first comment has to be a sentence that ends"
        if path.endswith(".h") and "#pragma once" not in lines:
            yield f"{path}: a header needs #pragma once"
    for path in files(root, ".py", ".sh", ".mk", ".ac", ".am", ".m4", ".js"):
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text_of(os.path.join(root, path)).split("\n")[:3]):
            yield f"{path}:1: SPDX-License-Identifier: Apache-2.0 is missing from the first three lines"


def rule_marks(root):
    """Work is finished or not there: no marks for later."""
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    for path in files(root, ".c", ".h", ".py", ".sh", ".mk", ".am", ".ac", ".m4", ".js", ".md", ".lua"):
        for number, line in enumerate(text_of(os.path.join(root, path)).splitlines(), 1):
            if mark.search(line):
                yield f"{path}:{number}: {mark.search(line).group()}: finish it, or write an issue"


def rule_names(root):
    """No function of ours carries a prefix of a library."""
    for path in files(root, ".c"):
        for name, _signature, line, _body, static in functions(text_of(os.path.join(root, path))):
            if not static and FOREIGN_PREFIXES.match(name):
                yield f"{path}:{line}: {name} looks like a function of a library; choose another prefix"


def rule_bytes(root):
    """Plain text: no tabs in C and Python, no trailing white space, one newline at the end."""
    for path in files(root, ".c", ".h", ".py", ".sh"):
        with open(os.path.join(root, path), "rb") as source:
            data = source.read()
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.rstrip(b" \t\r") != line:
                yield f"{path}:{number}: white space at the end of the line"
            if b"\t" in line and not path.endswith(".sh"):
                yield f"{path}:{number}: a tab; indent with spaces"
        if data and (not data.endswith(b"\n") or data.endswith(b"\n\n")):
            yield f"{path}: has to end with exactly one newline"


class Sleeps(ast.NodeVisitor):
    """Finds pauses outside of functions named wait_for: those ask for a condition until a deadline."""

    def __init__(self):
        self.found = []

    def visit_FunctionDef(self, node):
        if node.name != "wait_for":
            self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name in ("sleep", "usleep"):
            self.found.append(node.lineno)
        self.generic_visit(node)


def rule_sleeps(root):
    """Tests wait for conditions, never for time."""
    for path in files(os.path.join(root, "tests")):
        full = os.path.join(root, "tests", path)
        path = "tests/" + path
        if path.startswith("tests/bench/"):
            continue  # a load generator keeps a rate; it synchronises with nobody
        if path.endswith(".c"):
            for name, _signature, line, body, _static in functions(text_of(full)):
                if name != "wait_for" and re.search(r"\b(u|nano)?sleep\s*\(", body):
                    yield f"{path}:{line}: {name} sleeps; poll for a condition in a function wait_for"
        elif path.endswith((".py", "/launch")):
            finder = Sleeps()
            finder.visit(ast.parse(text_of(full)))
            for line in finder.found:
                yield f"{path}:{line}: a sleep; wait for a condition in a function wait_for"
        elif path.endswith(".sh") and re.search(r"(^|[;&|]\s*|\bdo\s+)sleep\s", text_of(full), re.M):
            yield f"{path}: a sleep; wait for a condition"


RULES = {name[5:]: rule for name, rule in sorted(globals().items()) if name.startswith("rule_")}

# ------------------------------------------------------------------------------- each rule can fail

HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* A sentence. */\n"
WITNESSES = [
    ("layers", "common/base/a.c", HEAD + '#include "common/policy/conf.h"\n'),
    ("layers", "common/engine/a.c", HEAD + '#include "pushd/msg.h"\n'),
    ("layers", "fcgi/a.c", HEAD + '#include "pushd/msg.h"\n'),
    ("layers", "pushd/a.c", HEAD + '#include "tests/unit/unit.h"\n'),
    ("homes", "common/base/a.c", HEAD + "#include <libwebsockets.h>\n"),
    ("homes", "pushd/control/a.c", HEAD + "#include <jwt.h>\n"),
    ("sizes", "fcgi/a.c", HEAD + "int x;\n" * 499),
    ("sizes", "fcgi/a.c", HEAD + "int f(void)\n{\n" + "    g();\n" * 61 + "}\n"),
    ("sizes", "fcgi/a.c", HEAD + "int f(int a, int b, int c, int d,\n      int e, int (*g)(int, int), int h)\n{\n}\n"),
    ("heads", "fcgi/a.c", "/* A sentence. */\n"),
    ("heads", "fcgi/a.c", "/* SPDX-License-Identifier: Apache-2.0 */\n#include <stdio.h>\n"),
    ("heads", "fcgi/a.c", "/* SPDX-License-Identifier: Apache-2.0 */\n/* No end */\n"),
    ("heads", "fcgi/a.h", HEAD),
    ("heads", "etc/a.sh", "#!/bin/sh\necho\n"),
    ("marks", "fcgi/a.c", HEAD + "/* FIX" "ME: later */\n"),
    ("names", "fcgi/a.c", HEAD + "int\nlws_mine(void)\n{\n}\n"),
    ("bytes", "fcgi/a.c", HEAD + "int x; \n"),
    ("bytes", "fcgi/a.c", HEAD + "\tint x;\n"),
    ("bytes", "fcgi/a.c", HEAD + "int x;"),
    ("sleeps", "tests/unit/a.c", HEAD + "static void f(void)\n{\n    usleep(10);\n}\n"),
    ("sleeps", "tests/a.py", "import time\ntime.sleep(1)\n"),
    ("sleeps", "tests/a.sh", "make\nsleep 1\n"),
]
INNOCENT = [
    ("_build/a.c", "generated\n"),
    ("tests/fuzz/fuzz_a.in/a.c", "a corpus"),
    ("fcgi/a.c", HEAD + '#include "fcgi/a.h"\n#include "common/engine/engine.h"\n#include <fcgiapp.h>\n\n'
     "static int lws_mine(int a)\n{\n    return a;\n}\n\n/* sleep(1) and \"sleep(2)\" are words here. */\n"),
    ("fcgi/a.h", HEAD + "#pragma once\n"),
    ("tests/unit/a.c", HEAD + "static void wait_for(void)\n{\n    usleep(10);\n}\n"),
    ("tests/a.py", "# SPDX-License-Identifier: Apache-2.0\nimport time\n\n\ndef wait_for():\n    time.sleep(0.01)\n"),
]


def findings_in(tree, rules):
    with tempfile.TemporaryDirectory(prefix="pushd-lint.") as root:
        for path, text in tree:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as target:
                target.write(text)
        os.makedirs(os.path.join(root, "tests"), exist_ok=True)
        return [finding for rule in rules for finding in RULES[rule](root)]


def selftest():
    failed = 0
    for rule, path, text in WITNESSES:
        if not findings_in([(path, text)], [rule]):
            print(f"rule {rule} does not find what is wrong with this {path}:\n{text[:300]}")
            failed += 1
    for finding in findings_in(INNOCENT, RULES):
        print("found where nothing is wrong: " + finding)
        failed += 1
    for rule in set(RULES) - {witness[0] for witness in WITNESSES}:
        print(f"rule {rule} was never seen failing")
        failed += 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--selftest", action="store_true")
    parser.add_argument("rules", nargs="*", choices=[[], *RULES])
    options = parser.parse_args()
    if options.list:
        for name, rule in RULES.items():
            print(f"{name:10} {rule.__doc__}")
        return 0
    if options.selftest:
        return 1 if selftest() else 0
    found = [finding for rule in options.rules or RULES for finding in RULES[rule](options.root)]
    print("\n".join(found) if found else "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
