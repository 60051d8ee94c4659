"""A project with two variants of one package, locked by uv from indexes on the loopback interface,
and with a directory of a repository, in which there is a submodule.

python variants.py UV DIR: DIR/uv.lock, and the wheels below DIR/files.
"""

import base64
import functools
import hashlib
import http.server
import os
import pathlib
import subprocess
import sys
import threading
import zipfile

PYPROJECT = """\
[project]
name = "app"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["gitly"]

[project.optional-dependencies]
cpu = ["accel>=1"]
cu128 = ["accel>=1"]

[tool.uv]
conflicts = [[{{ extra = "cpu" }}, {{ extra = "cu128" }}]]

[tool.uv.sources]
accel = [{{ index = "cpu", extra = "cpu" }}, {{ index = "cu128", extra = "cu128" }}]
gitly = {{ git = "{repository}", branch = "side", subdirectory = "sub" }}
"""

INDEX = """
[[tool.uv.index]]
name = "{name}"
url = "{url}/{name}"
explicit = true
"""


def digest(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make_wheel(path, variant):
    version = f"1.0+{variant}"
    info = f"accel-{version}.dist-info"
    files = {
        "accel.py": f"variant = {variant!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: accel\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},{digest(text.encode())},{len(text)}\n" for name, text in files.items()]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(zipfile.ZipInfo(name), text)


def commit(root, files, *prepare):
    """A new commit, on a branch that is not the one of HEAD."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(root)]
    if not root.is_dir():
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", root], check=True)
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "empty"], check=True)
    subprocess.run([*git, "checkout", "--quiet", "-b", "side"], check=True)
    for command in prepare:
        subprocess.run([*git, *command], check=True)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "files"], check=True)
    subprocess.run([*git, "checkout", "--quiet", "main"], check=True)


def make_repository(root):
    part, whole = root / "part", root / "whole"
    commit(part, {"__init__.py": "word = 'of the submodule'\n"})
    submodule = ["submodule", "--quiet", "add", "-b", "side", part.as_uri(), "sub/gitly/vendored"]
    files = {
        "sub/pyproject.toml": '[project]\nname = "gitly"\nversion = "5.0"\ndependencies = []\n',
        "sub/gitly/__init__.py": "from gitly.vendored import word\n",
    }
    commit(whole, files, submodule)
    return whole.as_uri()


def main():
    # Submodules at `file:` are not followed otherwise.
    os.environ |= {"GIT_ALLOW_PROTOCOL": "file", "GIT_CONFIG_GLOBAL": os.devnull}
    uv, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    files = root / "files"
    files.mkdir(parents=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=root)
    handler.func.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    pyproject = PYPROJECT.format(repository=make_repository(root))
    for name in ["cpu", "cu128"]:
        wheel = files / f"accel-1.0+{name}-py3-none-any.whl"
        make_wheel(wheel, name)
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        page = root / name / "accel"
        page.mkdir(parents=True)
        link = f"{url}/files/{wheel.name.replace('+', '%2B')}#sha256={sha256}"
        (page / "index.html").write_text(f'<a href="{link}">{wheel.name}</a>\n')
        pyproject += INDEX.format(name=name, url=url)
    (root / "pyproject.toml").write_text(pyproject)
    # Nobody else is asked.
    env = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    env |= {"UV_DEFAULT_INDEX": f"{url}/none", "UV_PYTHON": sys.executable, "NO_PROXY": "*"}
    subprocess.run([uv, "lock", "--quiet", "--no-cache"], cwd=root, env=env, check=True)


main()
