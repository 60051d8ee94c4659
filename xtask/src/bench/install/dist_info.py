# Unpacks the .dist-info of a wheel to a directory, and prints its name.
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as archive:
    names = [name for name in archive.namelist() if ".dist-info/" in name]
    archive.extractall(sys.argv[2], names)
    print(names[0].split("/")[0])
