"""Copies a directory of prefixes, ELF files with holes for what a proof does not read.

The copy is one of other files, which the loader does not take for the same, and takes little room.
Usage: copy.py FROM TO; both paths have the same length, so that the one can stand for the other in
run paths.
"""

import os
import struct
import sys

# What the loader, or a search for names of libraries, looks at.
KEPT = {".rodata", ".dynsym", ".dynstr", ".hash", ".gnu.hash", ".gnu.version", ".shstrtab"}
SMALL = 1 << 20
NOBITS = 8


def sections(file):
    """Offset and length of what is left out."""
    file.seek(0)
    header = file.read(64)
    (offset,) = struct.unpack_from("<Q", header, 40)
    size, count, names = struct.unpack_from("<HHH", header, 58)
    file.seek(offset)
    table = file.read(size * count)
    rows = [struct.unpack_from("<IIQQQQ", table, index * size) for index in range(count)]
    if not rows:
        return []
    file.seek(rows[names][4])
    text = file.read(rows[names][5])
    left_out = []
    for name, kind, _flags, _address, start, length in rows:
        name = text[name : text.index(b"\0", name)].decode()
        if kind != NOBITS and length > SMALL and name not in KEPT:
            left_out.append((start, length))
    return sorted(left_out)


def copy(source, target, old, new):
    """Copies one ELF file."""
    with open(source, "rb") as file, open(target, "wb") as out:
        end = os.fstat(file.fileno()).st_size
        at = 0
        for start, length in [*sections(file), (end, 0)]:
            file.seek(at)
            out.seek(at)
            out.write(file.read(max(start - at, 0)).replace(old, new))
            at = max(at, start + length)
        out.truncate(end)


def main():
    old, new = sys.argv[1:]
    assert len(old) == len(new)
    for directory, _, names in os.walk(old):
        there = new + directory[len(old) :]
        os.makedirs(there)
        for name in names:
            source, target = os.path.join(directory, name), os.path.join(there, name)
            with open(source, "rb") as file:
                is_elf = file.read(5) == b"\x7fELF\x02"
            if os.path.islink(source):
                os.symlink(os.readlink(source), target)
            elif is_elf:
                copy(source, target, old.encode() + b"/", new.encode() + b"/")
            else:
                os.link(source, target)


main()
