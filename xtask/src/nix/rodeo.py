"""Projects with large wheels, locked by uv from an index on the loopback interface, and some of their packages from
repositories.

python rodeo.py UV DIR NAME: DIR/NAME/uv.lock, of the wheels that DIR/wheels.txt names.
"""

import hashlib
import http.server
import os
import pathlib
import re
import subprocess
import sys
import threading
import zipfile

PROJECTS = {
    "torch": ["accelerate", "bitsandbytes", "jax", "scikit-learn", "scipy", "torch", "transformers"],
    "tensorflow": ["cartopy", "h5py", "matplotlib", "tensorflow", "xgcm"],
    "voices": ["f5-tts", "pi-zero-pytorch"],
}

# Of a package from a repository, as upstream has them: bounds that nobody else keeps, and one that is for a machine.
REPOSITORIES = {
    "f5-tts": [
        "accelerate>=0.33.0",
        "bitsandbytes>0.37.0; platform_machine == 'x86_64' and sys_platform != 'darwin'",
        "click",
        "numpy<=1.26.4",
        "safetensors",
        "torch>=2.0.0",
        "tqdm>=4.65.0",
        "transformers",
    ],
    "pi-zero-pytorch": ["accelerate", "numpy", "scipy", "torch>=2.0", "tqdm"],
}

PYPROJECT = """\
[project]
name = "{name}"
version = "1.0"
requires-python = ">=3.11,<3.12"
dependencies = {requires}
"""

BUILD = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""

UV = """
[tool.uv]
package = false
override-dependencies = ["numpy==2.4.6"]
environments = ["sys_platform == 'linux' and platform_machine == 'x86_64'"]

[tool.uv.sources]
"""


class Index(http.server.BaseHTTPRequestHandler):
    """Pages with the wheels of a project, and their METADATA."""

    wheels = {}

    def do_GET(self):
        parts = self.path.strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            links = [self.link(name) for name in self.wheels if normalized(name.split("-")[0]) == parts[1]]
            return self.answer("\n".join(links).encode(), "text/html") if links else self.send_error(404)
        if parts[0] == "files" and parts[1].endswith(".metadata"):
            return self.answer(metadata(self.wheels[parts[1].removesuffix(".metadata")]), "text/plain")
        return self.send_error(404)

    def link(self, name):
        sha256 = self.wheels[name][1]
        return f'<a href="/files/{name}#sha256={sha256}" data-core-metadata="true">{name}</a>'

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def metadata(wheel):
    with zipfile.ZipFile(wheel[0]) as file:
        names = [name for name in file.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return file.read(names[0])


def make_repository(root, name):
    module = name.replace("-", "_")
    root.mkdir(parents=True)
    text = PYPROJECT.format(name=name, requires=REPOSITORIES[name]) + BUILD
    (root / "pyproject.toml").write_text(text + f'[tool.setuptools]\npy-modules = ["{module}"]\n')
    (root / f"{module}.py").write_text("import accelerate, numpy, torch\n\nones = torch.ones(2, 2) + numpy.ones(1)\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(root)]
    for command in ["init --quiet --initial-branch=main", "add --all", "commit --quiet -m files"]:
        subprocess.run([*git, *command.split()], check=True)
    return root.as_uri()


def main():
    os.environ |= {"GIT_ALLOW_PROTOCOL": "file", "GIT_CONFIG_GLOBAL": os.devnull}
    uv, root, name = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), sys.argv[3]
    for wheel in map(pathlib.Path, (root / "wheels.txt").read_text().splitlines()):
        with wheel.open("rb") as file:
            Index.wheels[wheel.name] = wheel, hashlib.file_digest(file, "sha256").hexdigest()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    project = root / name
    project.mkdir()
    text = PYPROJECT.format(name="app", requires=PROJECTS[name]) + UV
    for package in filter(REPOSITORIES.__contains__, PROJECTS[name]):
        text += f'{package} = {{ git = "{make_repository(root / package, package)}" }}\n'
    (project / "pyproject.toml").write_text(text)
    # Nobody else is asked.
    env = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    index = f"http://127.0.0.1:{server.server_port}/simple"
    env |= {"UV_DEFAULT_INDEX": index, "UV_PYTHON": sys.executable, "NO_PROXY": "*"}
    subprocess.run([uv, "lock", "--quiet", "--no-cache"], cwd=project, env=env, check=True)


main()
