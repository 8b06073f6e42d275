"""What huggingface_hub makes of the Hub that the Java tests run: the cache folder that it leaves, and how it reads
hf:// URIs. Writes fixtures/hub. Needs Java and the tests' class path, which has HubServer:

    mvn -q test-compile dependency:build-classpath -Dmdep.outputFile=target/test.classpath
    python src/test/python/hub.py target/classes:target/test-classes:$(cat target/test.classpath)
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

OUT = pathlib.Path(__file__).parents[1] / "resources/fixtures/hub"
URIS = [
    "hf://org/name",
    "hf://org/name/",
    "hf:///org/name",
    "hf://models/org/name",
    "hf://org/name/sub/config.json",
    "hf://org/name@main",
    "hf://org/name@v1.0/sub",
    "hf://org/name@feature%2Fx/sub",
    "hf://org/name@feature/x",
    "hf://org/name@refs/pr/1",
    "hf://org/name@refs/pr/1/sub/config.json",
    "hf://org/name@refs/convert/parquet/a",
    "hf://org/name@refs/heads/main",
    "hf://org/name@refs%2Fpr%2F1/sub",
    "hf://org/name@a+b/c d",
    "hf://org/name/file@1.txt",
    "hf://org/name@" + "0123456789" * 4 + "/sub",
    "hf://Org_1/na.me-2",
    "hf://gpt2",
    "hf://gpt2@main",
    "hf://org@main/name",
    "hf://",
    "hf://org/name@",
    "hf://org/-name",
    "hf://org/name-",
    "hf://org/na--me",
    "hf://org/na..me",
    "hf://org/name.git",
    "hf://org/näme",
    "hf://org/name//sub",
    "hf://datasets",
    "hf://model/org/name",
]


def listing(cache):
    """A line for each file: its hash, or where a link leads. Lists of files are JSON, whose layout does not count."""
    lines = []
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache).as_posix()
        if path.is_symlink():
            lines.append(f"{name} -> {os.readlink(path)}")
        elif path.is_file():
            content = path.read_bytes()
            if name.split("/")[1:2] == ["trees"]:
                content = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            lines.append(f"{name} {hashlib.sha256(content).hexdigest()}")
    return "".join(line + "\n" for line in lines)


def parsed(uri):
    from huggingface_hub.errors import HfUriError
    from huggingface_hub.utils._hf_uris import parse_hf_uri

    try:
        found = parse_hf_uri(uri)
        assert found.type == "model", found
        return {"repo": found.id, "revision": found.revision, "path": found.path_in_repo}
    except HfUriError:
        return None


def main(class_path):
    server = subprocess.Popen(
        ["java", "-cp", class_path, "dev.medley.io.HubServer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            download(server.stdout.readline().strip(), pathlib.Path(folder))
    finally:
        server.communicate()  # the end of its input ends it


def download(endpoint, home):
    os.environ.update(HF_ENDPOINT=endpoint, HF_HOME=str(home), HF_HUB_CACHE=str(home / "cache"))
    from huggingface_hub import hf_hub_download, snapshot_download  # reads the environment
    from huggingface_hub.errors import EntryNotFoundError

    snapshot_download("org/name")
    hf_hub_download("org/name", "config.json", revision="feature/x")
    hf_hub_download("org/name", "config.json", revision="refs/pr/1")
    try:
        hf_hub_download("org/name", "sub/missing.json")
        raise AssertionError("there is no such file")
    except EntryNotFoundError:
        pass
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "cache.txt").write_text(listing(home / "cache"), encoding="utf-8")
    (OUT / "uris.json").write_text(json.dumps({uri: parsed(uri) for uri in URIS}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
