"""Takes the dynamically linked ELF files out of wheels: extract.py DIRECTORY WHEEL..."""

import pathlib
import shutil
import struct
import sys
import zipfile

PT_DYNAMIC = 2


def is_dynamic(head):
    """Whether these are the first bytes of a 64-bit little-endian file with a dynamic section."""
    if head[:6] != b"\x7fELF\x02\x01":
        return False
    (offset,) = struct.unpack_from("<Q", head, 32)
    (count,) = struct.unpack_from("<H", head, 56)
    kinds = (struct.unpack_from("<I", head, offset + 56 * index)[0] for index in range(count))
    return PT_DYNAMIC in kinds


def main(directory, *wheels):
    for wheel in wheels:
        distribution = pathlib.Path(wheel).name.split("-")[0]
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                with archive.open(member) as source:
                    head = source.read(4096)
                    if not is_dynamic(head):
                        continue
                    path = pathlib.Path(directory, distribution, member.filename)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("wb") as target:
                        target.write(head)
                        shutil.copyfileobj(source, target, 1 << 20)


main(*sys.argv[1:])
