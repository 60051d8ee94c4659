# Brings source distributions, given by their file names, into a directory.
#
# `pip download` would ask each for its metadata, which runs its build backend. So pip only finds and
# reads the files here, and nothing of them is run. The pinned version of pip has these names.
import os
import sys

from pip._internal.commands import create_command


def name_of(filename):
    return filename.rsplit("-", 1)[0]


def main(directory, filenames):
    command = create_command("download")
    options, _ = command.parse_args(["--no-binary=:all:", "--no-deps"])
    with command._build_session(options) as session:
        finder = command._build_package_finder(options, session)
        for filename in filenames:
            candidates = finder.find_all_candidates(name_of(filename))
            links = [each.link for each in candidates if each.link.filename == filename]
            if not links:
                sys.exit("the package index has no " + filename)
            response = session.get(links[0].url_without_fragment)
            response.raise_for_status()
            with open(os.path.join(directory, filename), "wb") as file:
                file.write(response.content)


main(sys.argv[1], sys.argv[2:])
