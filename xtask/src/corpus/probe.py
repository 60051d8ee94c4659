"""Runs in the bed: uses a copy of a distribution, and opens its objects one by one.

Reads a request in JSON on standard input, and prints what happened in JSON:
  sites      directories of modules, the first wins
  line       Python to be executed, or null
  program    a program with its arguments, or null
  loader     the program that starts programs whose own loader is not in the bed, or null
  objects    ELF files that are to be opened with RTLD_NOW, or listed where they are programs
"""

import ctypes
import json
import os
import struct
import subprocess
import sys
import tempfile

SECONDS = 240

USE = """
import site, sys
sites, line = sys.argv[1].split(":"), sys.argv[2]
for place in sites:
    site.addsitedir(place)
sys.argv = ["-c"]
exec(compile(line, "<line>", "exec"), {"__name__": "__main__"})
"""


def environment(home, sites):
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    settings = {"HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "QT_QPA_PLATFORM": "offscreen", "MPLBACKEND": "agg",
                "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ":".join(sites)}
    return {**kept, **settings}


def run(command, env, cwd):
    try:
        done = subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS, errors="replace")
    except subprocess.TimeoutExpired:
        return f"did not end within {SECONDS} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return f"status {done.returncode}: " + " / ".join(lines[-3:])[-600:]


def interpreter_of(path):
    """Whether the file has PT_INTERP; None if it is not an ELF file of this machine's kind."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return None
        start, size, count = *struct.unpack_from("<Q", head, 32), *struct.unpack_from("<HH", head, 54)
        file.seek(start)
        table = file.read(size * count)
    return any(struct.unpack_from("<I", table, index * size)[0] == 3 for index in range(count))


def use(request, home):
    env = environment(home, request["sites"])
    if request["line"] is not None:
        env.pop("PYTHONPATH")
        error = run([sys.executable, "-c", USE, ":".join(request["sites"]), request["line"]], env, home)
    else:
        program, *arguments = request["program"]
        if not os.path.exists(program):
            return {"error": f"{program} is not there"}
        command = [program]
        if request["loader"]:
            command = [request["loader"], program] if interpreter_of(program) else command
            if interpreter_of(program) is None:
                command = [sys.executable, program]
        error = run([*command, *arguments], env, home)
    return {"error": error}


def opened(path, loader):
    """What is wrong with opening the object in a process of its own, or None."""
    if interpreter_of(path):
        try:
            done = subprocess.run([loader, "--list", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                  errors="replace")
        except subprocess.TimeoutExpired:
            return "did not end"
        return None if done.returncode == 0 and "not found" not in done.stdout else done.stdout[-300:]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        try:
            ctypes.CDLL(path, mode=os.RTLD_NOW)
            os._exit(0)
        except OSError as error:
            os.write(writer, str(error).encode()[:400])
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader, errors="replace") as text:
        message = text.read()
    _, status = os.waitpid(child, 0)
    if status == 0:
        return None
    return message or f"wait status {status}"


def main():
    request = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as home:
        used = use(request, home) if request["line"] is not None or request["program"] else None
    failed = {}
    for path in request["objects"]:
        problem = opened(path, request["loader_of_the_bed"])
        if problem is not None:
            failed[path] = problem
    json.dump({"used": used, "failed": failed}, sys.stdout)


main()
