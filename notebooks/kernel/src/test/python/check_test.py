"""What notebooks/check calls a difference: see there."""

import pathlib
import sys

from nbformat.v4 import new_code_cell, new_notebook, new_output

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
from check import difference, normalized  # noqa: E402


def shown(text, mime="text/plain", tags=()):
    output = new_output("execute_result", data={mime: text}, execution_count=1)
    return notebook([output], tags)


def notebook(outputs, tags=()):
    return new_notebook(cells=[new_code_cell("cell", outputs=outputs, metadata={"tags": list(tags)})])


def check(condition, message):
    if not condition:
        sys.exit(f"check_test: {message}")


def same(one, other):
    found = difference(one, other)
    check(found is None, f"expected no difference, found {found}")


def differ(one, other, words):
    found = difference(one, other)
    check(found and words in found, f"expected {words}, found {found}")


same(shown("ham 0.984"), shown("ham 0.985"))
differ(shown("ham 0.984"), shown("ham 0.995"), "+ham 0.995")
differ(shown("ham 0.984"), shown("spam 0.984"), "text/plain differs")
differ(shown("66 of 70"), shown("67 of 70"), "-66 of 70")
differ(shown("a"), shown("a", "text/html"), "expected ['text/plain'], found ['text/html']")
same(shown('<circle cx="10.5"/>', "image/svg+xml"), shown('<circle cx="11"/>', "image/svg+xml"))
differ(shown('<circle cx="10.5"/>', "image/svg+xml"), shown('<circle cx="13"/>', "image/svg+xml"), "svg")
same(shown("88 rows/s", tags=["unstable"]), shown("13 rows/s", tags=["unstable"]))
differ(shown("88", tags=["unstable"]), shown("88", "text/html", ["unstable"]), "expected")
differ(notebook([]), shown("88"), "expected []")
differ(shown("88"), notebook([]), "found []")
warned = [new_output("stream", name="stderr", text="WARN something")]
differ(notebook(warned), notebook(warned), "expected nothing on stderr")
parts = [new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
same(notebook(parts), notebook([new_output("stream", name="stdout", text="a\nb\n")]))
emptied = new_output("display_data", data={})
check(not normalized(notebook([emptied])).cells[0].outputs, "the emptied place of progress is kept")
print("check_test: fine")
