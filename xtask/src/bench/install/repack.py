# Relaxes a requirement of a wheel as nixpkgs' hook does with `wheel unpack`, sed and `wheel pack`.
import base64
import hashlib
import os
import re
import sys
import zipfile

wheel, out, name = sys.argv[1:]
unpacked = os.path.join(out, "unpacked")
with zipfile.ZipFile(wheel) as archive:
    members = archive.infolist()
    archive.extractall(unpacked)
[metadata] = [it.filename for it in members if re.fullmatch(r"[^/]*\.dist-info/METADATA", it.filename)]
with open(os.path.join(unpacked, metadata), encoding="utf-8", newline="") as file:
    text = re.sub(r"(?im)^(Requires-Dist: %s)\b[^;\n]*" % re.escape(name), r"\1", file.read())
with open(os.path.join(unpacked, metadata), "w", encoding="utf-8", newline="") as file:
    file.write(text)

rows = []
record = os.path.dirname(metadata) + "/RECORD"
with zipfile.ZipFile(os.path.join(out, os.path.basename(wheel)), "w", zipfile.ZIP_DEFLATED) as archive:
    for member in members:
        if member.is_dir() or member.filename == record:
            continue
        with open(os.path.join(unpacked, member.filename), "rb") as file:
            content = file.read()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        rows.append("%s,sha256=%s,%d\n" % (member.filename, digest.decode(), len(content)))
        archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    archive.writestr(record, "".join(rows) + record + ",,\n")
