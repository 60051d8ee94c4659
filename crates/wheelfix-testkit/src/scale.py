"""Writes inputs that are large in one way each: `scale.py KIND COUNT WHEEL`.

The libraries are as small as a loader takes: one symbol, System V hash table, no section headers.
"""

import base64
import hashlib
import struct
import sys
import zipfile

PAGE = 0x1000


def library(name, needed):
    """A library for x86-64 that needs others, which lie beside it."""
    strings = bytearray(b"\0")

    def string(text):
        offset = len(strings)
        strings.extend(text.encode() + b"\0")
        return offset

    entries = [(1, string(other)) for other in needed]
    entries += [(14, string(name)), (29, string("$ORIGIN"))]
    symbol = string("f_" + name.replace(".", "_"))
    headers_len = 64 + 4 * 56
    symbols = headers_len
    hashes = symbols + 2 * 24
    names = hashes + 5 * 4
    code = names + len(strings)
    end = code + 1
    dynamic = (end + 15) & ~15
    entries += [(4, hashes), (5, names), (6, symbols), (10, len(strings)), (11, 24), (0, 0)]
    dynamic_len = 16 * len(entries)
    # The same place on another page: no file has holes.
    at = dynamic + PAGE * ((dynamic + PAGE) // PAGE)
    header = b"\x7fELF\2\1\1" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    segments = [
        (1, 5, 0, 0, end, PAGE),
        (1, 6, dynamic, at, dynamic_len, PAGE),
        (2, 6, dynamic, at, dynamic_len, 8),
        (0x6474E551, 6, 0, 0, 0, 16),
    ]
    for kind, flags, offset, vaddr, length, align in segments:
        header += struct.pack("<IIQQQQQQ", kind, flags, offset, vaddr, vaddr, length, length, align)
    body = bytes(24) + struct.pack("<IBBHQQ", symbol, 0x12, 0, 1, code, 1)
    body += struct.pack("<5I", 1, 2, 1, 0, 0)
    body += bytes(strings) + b"\xc3"
    body += bytes(dynamic - end)
    body += b"".join(struct.pack("<QQ", *entry) for entry in entries)
    return header + body


def libraries(names, needs):
    return {f"big/{name}": library(name, needs(index)) for index, name in enumerate(names)}


def chain(count):
    names = [f"lib{index}.so" for index in range(count)]
    return libraries(names, lambda index: names[index + 1 : index + 2])


def complete(count):
    names = [f"lib{index}.so" for index in range(count)]
    return libraries(names, lambda index: names[:index] + names[index + 1 :])


def needs(count):
    """As many objects, which need 60 libraries each."""
    shared = [f"libshared{index}.so" for index in range(60)]
    names = [f"lib{index}.so" for index in range(count)]
    return libraries(shared, lambda _: []) | libraries(names, lambda _: shared)


def source(count):
    lines = ["import ctypes", "import subprocess"]
    # Below the length from which on a source is taken for data.
    for index in range(count - 2):
        lines.append("y = 1" if index % 10 else 'x = ["/sbin/ldconfig", "-p"]')
    return {"big/source.py": "\n".join(lines).encode()}


def files(count):
    return {f"big/d{index // 500}/f{index}.py": b"x = 1\n" for index in range(count)}


def entry_points(count):
    scripts = "".join(f"tool{index} = big:main\n" for index in range(count))
    return {
        "big/__init__.py": b"def main(): pass\n",
        "big-1.0.dist-info/entry_points.txt": b"[console_scripts]\n" + scripts.encode(),
    }


def write(path, members, tag):
    members["big-1.0.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: big\nVersion: 1.0\n"
    pure = "true" if tag == "py3-none-any" else "false"
    members["big-1.0.dist-info/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: scale\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    )
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            method = zipfile.ZIP_DEFLATED if len(content) > 1000 else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, method)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(content)}\n")
        rows.append("big-1.0.dist-info/RECORD,,\n")
        archive.writestr("big-1.0.dist-info/RECORD", "".join(rows), zipfile.ZIP_DEFLATED)


KINDS = {
    "chain": (chain, "py3-none-linux_x86_64"),
    "complete": (complete, "py3-none-linux_x86_64"),
    "needs": (needs, "py3-none-linux_x86_64"),
    "source": (source, "py3-none-any"),
    "files": (files, "py3-none-any"),
    "entry-points": (entry_points, "py3-none-any"),
}

if __name__ == "__main__":
    kind, count, path = sys.argv[1:]
    make, tag = KINDS[kind]
    write(f"{path}/big-1.0-{tag}.whl", make(int(count)), tag)
