# Makes a wheel of small files: its path, and how many.
import base64
import hashlib
import random
import sys
import zipfile

path, count = sys.argv[1], int(sys.argv[2])
stem = "small_files-1.0"
words = [bytes(random.Random(number).choices(b"abcdefghij _=()\n", k=8)) for number in range(300)]
rows = []

with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

    def add(name, content):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        rows.append("%s,sha256=%s,%d\n" % (name, digest.decode(), len(content)))
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)

    for number in range(count):
        choice = random.Random(number)
        content = b"".join(choice.choices(words, k=128))
        add("small_files/d%03d/f%d.txt" % (number // 50, number), content)
    tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    add(stem + ".dist-info/WHEEL", tags.encode())
    add(stem + ".dist-info/METADATA", b"Metadata-Version: 2.1\nName: small_files\nVersion: 1.0\n")
    rows.append(stem + ".dist-info/RECORD,,\n")
    archive.writestr(zipfile.ZipInfo(stem + ".dist-info/RECORD"), "".join(rows))
