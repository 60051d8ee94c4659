# Compiles Python sources for wheelfix: one batch of requests in, one answer out.
#
# Arguments: the optimisation levels with commas between them, and how a reader tells that a
# cached file is stale: checked-hash, unchecked-hash or timestamp (PEP 552).
# A request is two texts, each ended by a NUL: the source file, and its final path, which becomes
# co_filename. An answer is one text ended by a NUL: empty, or why the file does not compile.
import sys

# Nothing is imported from the current directory.
sys.path[:] = [entry for entry in sys.path if entry]

import importlib._bootstrap_external as bootstrap
import importlib.util
import os
import warnings


# The time of all files of the Nix store.
TIMESTAMP = 1


def compile_file(path, final_path, levels, mode):
    with open(path, "rb") as file:
        source = file.read()
    if mode == "timestamp":
        os.utime(path, (TIMESTAMP, TIMESTAMP))
    # Level 1 drops asserts and what __debug__ guards, level 2 also docstrings.
    uses_debug = b"__debug__" in source or may_assert(source)
    code = previous = None
    for level in levels:
        if code is None or uses_debug or (level == 2 and may_have_docstring(code)):
            code = compile(source, final_path, "exec", dont_inherit=True, optimize=level)
            previous = cached(code, source, mode)
        target = importlib.util.cache_from_source(path, optimization=level or "")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(previous)


def may_assert(source):
    # A statement begins a line, or stands behind a colon or a semicolon; a word in a text seldom does.
    at = source.find(b"assert")
    while at != -1:
        start = 1 + max(source.rfind(b"\n", 0, at), source.rfind(b"\r", 0, at))
        before = source[start:at].rstrip()
        if before in (b"", b"\xef\xbb\xbf") or before.endswith((b":", b";", b"\\")):
            return True
        at = source.find(b"assert", at + 1)
    return False


def may_have_docstring(code):
    # That of a function is its first constant; a class or a module stores its own by this name.
    constants = code.co_consts
    if "__doc__" in code.co_names or (constants and isinstance(constants[0], str)):
        return True
    return any(may_have_docstring(it) for it in constants if isinstance(it, type(code)))


def cached(code, source, mode):
    if mode == "timestamp":
        return bootstrap._code_to_timestamp_pyc(code, TIMESTAMP, len(source))
    source_hash = importlib.util.source_hash(source)
    return bootstrap._code_to_hash_pyc(code, source_hash, mode == "checked-hash")


def requests(stream):
    while True:
        path = read_text(stream)
        if path is None:
            return
        yield path, read_text(stream)


def read_text(stream):
    text = bytearray()
    while True:
        byte = stream.read(1)
        if not byte:
            return None
        if byte == b"\0":
            return os.fsdecode(bytes(text))
        text += byte


def main():
    warnings.simplefilter("ignore")
    levels = [int(level) for level in sys.argv[1].split(",")]
    answers = sys.stdout.buffer
    for path, final_path in requests(sys.stdin.buffer):
        try:
            compile_file(path, final_path, levels, sys.argv[2])
            answer = ""
        except OSError:
            raise
        except Exception as error:
            answer = "%s: %s" % (type(error).__name__, error)
        answers.write(os.fsencode(answer.replace("\0", "?")) + b"\0")
        answers.flush()


main()
