# How pyproject.nix makes a virtual environment from prefixes, in outline: a Python program that
# merges directory by directory, links a directory of one prefix whole, compares files that collide,
# and lets bytecode collide.
#
# usage: python3 make_venv.py LIST OUT, where LIST names a prefix in each line
import filecmp
import os
import sys
import venv


def merge(out, directories):
    names = {}
    for directory in directories:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name != "nix-support":
                    names.setdefault(entry.name, []).append(entry)
    for name, entries in sorted(names.items()):
        path = os.path.join(out, name)
        if len(entries) == 1 and not os.path.lexists(path):
            os.symlink(entries[0].path, path)
        elif all(entry.is_dir() for entry in entries):
            os.makedirs(path, exist_ok=True)
            merge(path, [entry.path for entry in entries])
        else:
            first = entries[0]
            for other in entries[1:]:
                same = filecmp.cmp(first.path, other.path, shallow=False)
                if not same and "__pycache__" not in other.path:
                    sys.exit(f"two files for {path}: {first.path} and {other.path}")
            os.symlink(first.path, path)


def main():
    with open(sys.argv[1]) as file:
        prefixes = file.read().split("\n")[:-1]
    out = sys.argv[2]
    venv.EnvBuilder(symlinks=True).create(out)
    merge(out, prefixes)


main()
