"""Opens each library named on standard input as Python opens an extension module, each in a process
of its own; prints the path, a tab, and `ok` or what went wrong."""

import ctypes
import os
import subprocess
import sys

# What a program says instead of loading: the loader's own list of what it would load.
TRACE = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "1", "LD_BIND_NOW": "1"}


def load(path):
    try:
        ctypes.CDLL(path, mode=os.RTLD_NOW)
        return "ok"
    except OSError as error:
        message = str(error)
    if "cannot dynamically load" not in message:
        return message
    traced = subprocess.run([path], env=TRACE, capture_output=True, text=True)
    said = traced.stdout + traced.stderr
    bad = [line for line in said.splitlines() if "not found" in line or "undefined symbol" in line]
    return bad[0].strip() if bad or traced.returncode else "ok"


for path in sys.stdin.read().splitlines():
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        os.write(writable, load(path).encode())
        os._exit(0)
    os.close(writable)
    said = os.read(readable, 1 << 16).decode()
    os.close(readable)
    _, status = os.waitpid(child, 0)
    print(path, said or f"ended with status {status}", sep="\t", flush=True)
