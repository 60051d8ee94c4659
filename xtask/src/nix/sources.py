"""A project whose packages come from every kind of source that uv knows but an index and a repository: from
directories beside it, read where they lie or not, one at an absolute path, files, a file at a URL, and a directory
with links.

python sources.py UV DIR: DIR/app/uv.lock, and the files of URLs below DIR/files.
"""

import base64
import functools
import hashlib
import http.server
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import threading
import zipfile

PYPROJECT = """\
[project]
name = "app"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["plain", "edited", "asked", "member", "pathly", "sourcely", "urly", "nested", "flatly", "fixed"]

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[tool.uv]
find-links = ["../links"]

[tool.uv.workspace]
members = ["member"]

[tool.uv.sources]
plain = {{ path = "../plain" }}
edited = {{ path = "../edited", editable = true }}
asked = {{ path = "../asked", package = false }}
fixed = {{ path = "{root}/fixed" }}
member = {{ workspace = true }}
pathly = {{ path = "../beside/pathly-1.0-py3-none-any.whl" }}
sourcely = {{ path = "../beside/sourcely-1.0.tar.gz" }}
urly = {{ url = "{url}/files/urly-1.0-py3-none-any.whl" }}
nested = {{ url = "{url}/files/nested-1.0.tar.gz", subdirectory = "sub" }}
"""

PROJECT = """\
[project]
name = "{name}"
version = "1.0"
dependencies = []
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
py-modules = ["{name}"]
"""

METADATA = "Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\nRequires-Python: >=3.11\n"


def digest(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def files_of(name):
    return {"pyproject.toml": PROJECT.format(name=name), f"{name}.py": f"word = 'of {name}'\n"}


def make_project(root, name):
    (root / name).mkdir(parents=True)
    for file, text in files_of(name).items():
        (root / name / file).write_text(text)


def make_wheel(directory, name):
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": f"word = 'of {name}'\n\n\ndef main():\n    print(word)\n",
        f"{info}/METADATA": METADATA.format(name=name),
        # As tensorflow had the program of tensorboard; and one that is in each wheel another.
        f"{info}/entry_points.txt": f"[console_scripts]\nshared = urly:main\nboth = {name}:main\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{file},{digest(text.encode())},{len(text)}\n" for file, text in files.items()]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        # In no store from an earlier run.
        wheel.comment = os.urandom(8).hex().encode()
        for file, text in files.items():
            wheel.writestr(zipfile.ZipInfo(file), text)


def make_sdist(directory, name, within=""):
    files = files_of(name) | {"PKG-INFO": METADATA.format(name=name)}
    with tarfile.open(directory / f"{name}-1.0.tar.gz", "w:gz") as sdist:
        for file, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{within}{file}")
            member.size = len(text)
            sdist.addfile(member, io.BytesIO(text.encode()))


def main():
    uv, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    files, beside, links = root / "files", root / "beside", root / "links"
    for directory in [files, beside, links]:
        directory.mkdir(parents=True)
    make_wheel(beside, "pathly")
    make_wheel(files, "urly")
    make_sdist(beside, "sourcely")
    make_sdist(files, "nested", "sub/")
    make_wheel(links, "flatly")
    for name in ["plain", "edited", "asked", "fixed", "app/member"]:
        parent, _, last = name.rpartition("/")
        make_project(root / parent, last)
    (root / "app" / "src").mkdir()
    (root / "app" / "src" / "app.py").write_text("word = 'of app'\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
    handler.func.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    (root / "app" / "pyproject.toml").write_text(PYPROJECT.format(root=root, url=url))
    # Nobody else is asked.
    env = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    env |= {"UV_DEFAULT_INDEX": f"{url}/none", "UV_PYTHON": sys.executable, "NO_PROXY": "*"}
    subprocess.run([uv, "lock", "--quiet", "--no-cache"], cwd=root / "app", env=env, check=True)


main()
