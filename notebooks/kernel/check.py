"""Runs notebooks and compares their outputs with the committed ones: see notebooks/check."""

import difflib
import pathlib
import re
import signal
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT = 600  # seconds of a cell, on a machine with other things to do
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
LARGEST = 400_000  # bytes of a notebook


def run(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(
        notebook, timeout=TIMEOUT, startup_timeout=120, kernel_name="medley",
        resources={"metadata": {"path": str(HERE)}},
    ).execute()
    return normalized(notebook)


def normalized(notebook):
    """Without times, versions and the emptied places of progress."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("data", True)]
            for output in cell.outputs:
                output.get("metadata", {}).clear()
    return notebook


def pieces(cell):
    """What a cell shows, as pairs of a kind and a text."""
    found = []
    for output in cell.outputs:
        if output.output_type == "stream":
            if found and found[-1][0] == output.name:
                found[-1] = (output.name, found[-1][1] + output.text)
            else:
                found.append((output.name, output.text))
        elif output.output_type == "error":
            found.append(("error", "\n".join(output.traceback)))
        else:
            found += sorted(output.data.items(), reverse=True)  # text before pages and drawings
    return found


def same(kind, expected, found):
    """Texts are equal, and numbers with a fraction nearly so; in a drawing all numbers are."""
    if kind == "image/png":
        return True  # its bytes are the drawing library's
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    for one, other in zip(NUMBER.findall(expected), NUMBER.findall(found)):
        near = 1.0 if kind == "image/svg+xml" else 0.002 if "." in one else 0
        if abs(float(one) - float(other)) > max(near, 0.01 * abs(float(one)) if near else 0):
            return False
    return True


def difference(expected, found):
    """The first one between two notebooks, in words; None for none."""
    for number, (old, new) in enumerate(zip(expected.cells, found.cells), 1):
        if old.cell_type != "code":
            continue
        before, after = pieces(old), pieces(new)
        where = f"cell {number} ({old.source.strip().splitlines()[0][:60]})"
        for kind, text in after:
            if kind == "stderr":
                return f"{where}: expected nothing on stderr, found\n{text}"
        if [kind for kind, _ in before] != [kind for kind, _ in after]:
            return f"{where}: expected {[k for k, _ in before]}, found {[k for k, _ in after]}"
        if "unstable" in old.metadata.get("tags", []):
            continue
        for (kind, one), (_, other) in zip(before, after):
            if not same(kind, one, other):
                lines = difflib.unified_diff(
                    one.splitlines(), other.splitlines(), "committed", "found", lineterm="", n=1)
                return f"{where}: {kind} differs\n" + "\n".join(line[:200] for line in list(lines)[:40])
    return None


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a kernel ends with us
    is_written = "--write" in arguments
    names = [name for name in arguments if name != "--write"]
    paths = [HERE / pathlib.Path(name).name for name in names] or sorted(HERE.glob("*.ipynb"))
    for path in paths:
        start = time.time()
        try:
            found = run(path)
        except CellExecutionError as e:
            sys.exit(f"notebooks/check: {path.name}: {e}")
        if is_written:
            nbformat.write(found, path)
        else:
            problem = difference(nbformat.read(path, as_version=4), found)
            if problem:
                sys.exit(f"notebooks/check: {path.name}: {problem}\n"
                         f"notebooks/check --write {path.name} takes it over")
        if path.stat().st_size > LARGEST:
            sys.exit(f"notebooks/check: {path.name}: {path.stat().st_size} bytes, "
                     f"expected at most {LARGEST}")
        print(f"notebooks/check: {path.name}: {'written' if is_written else 'as committed'}, "
              f"{time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
