# What build systems make of plain Python sources: python build_wheel.py SOURCE SUBDIRECTORY DIRECTORY
import base64
import hashlib
import pathlib
import sys
import tarfile
import tomllib
import zipfile

source, subdirectory, directory = map(pathlib.Path, sys.argv[1:])
if source.is_file():
    # Debian 12's Python has no filters, and asks for none.
    filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    tarfile.open(source).extractall("unpacked", **filters)
    (source,) = pathlib.Path("unpacked").iterdir()
source /= subdirectory
project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
name, version = project["name"].replace("-", "_"), project["version"]
info = f"{name}-{version}.dist-info"
metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
metadata += "".join(f"Requires-Dist: {it}\n" for it in project.get("dependencies", []))
scripts = "".join(f"{key} = {value}\n" for key, value in project.get("scripts", {}).items())
base = source / "src" if (source / "src").is_dir() else source
files = {str(it.relative_to(base)): it.read_bytes() for it in sorted(base.rglob("*.py"))}
files[f"{info}/METADATA"] = metadata.encode()
files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: stub\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}".encode()
rows = ""
with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
        rows += f"{path},sha256={digest},{len(text)}\n"
        wheel.writestr(path, text)
    wheel.writestr(f"{info}/RECORD", f"{rows}{info}/RECORD,,\n")
