"""The libraries that Python sources open by a bare name, each with its file.

wheelfix has made this module: LIBRARIES has the names that the sources around it ask for, and the files that
`--lib-path` has for them; of the C library the soname is enough. A line in `wheelfix-libraries.pth` imports it when Python starts. Nothing more happens
until the program imports ctypes or cffi: then `ctypes.util.find_library`, what `ctypes.CDLL` and the like open by
a bare name, and the `dlopen` of cffi's `FFI` look here before they look elsewhere. A library that the process has
loaded by that name is opened again, and a file that is not there is passed over.
"""

import _thread
import os
import sys

LIBRARIES = {}


def _file(name):
    """The file for the name of a library, if it is there, or the soname of a part of the C library."""
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    file = LIBRARIES.get(name) if isinstance(name, str) else None
    return file if file is not None and ("/" not in file or os.path.exists(file)) else None


def _stands_for(function, original):
    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(function, attribute, getattr(original, attribute, None))
    function.__wrapped__ = original
    return function


def _ctypes(module):
    original = module._dlopen

    def dlopen(name, *mode):
        file = _file(name)
        if file is None:
            return original(name, *mode)
        try:
            return original(name, (mode[0] if mode else 0) | os.RTLD_NOLOAD)
        except OSError:
            return original(file, *mode)

    module._dlopen = _stands_for(dlopen, original)


def _ctypes_util(module):
    original = module.find_library

    def find_library(name):
        return _file("lib%s.so" % (name,)) or _file(name) or original(name)

    module.find_library = _stands_for(find_library, original)


def _cffi_api(module):
    original = module._load_backend_lib

    def _load_backend_lib(backend, name, flags):
        return original(backend, _file(name) or name, flags)

    module._load_backend_lib = _stands_for(_load_backend_lib, original)


_CHANGES = {"ctypes": _ctypes, "ctypes.util": _ctypes_util, "cffi.api": _cffi_api}


class _Finder:
    """Leaves modules to the finders behind it, and changes these three once they are loaded."""

    # What is looked for, by which thread: a finder behind may ask all others, this one included.
    _pending = set()

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        change = _CHANGES.get(name)
        key = (name, _thread.get_ident())
        if change is None or key in cls._pending:
            return None
        finders = list(sys.meta_path)
        behind = finders[finders.index(cls) + 1 :] if cls in finders else []
        cls._pending.add(key)
        try:
            for finder in behind:
                find_spec = getattr(finder, "find_spec", None)
                spec = find_spec(name, path, target) if find_spec is not None else None
                if spec is not None:
                    _after(spec.loader, name, change)
                    return spec
        finally:
            cls._pending.discard(key)
        return None


def _after(loader, name, change):
    """Calls a function with the module of a name once a loader has loaded it."""
    load = getattr(loader, "exec_module", None)
    if load is None:
        return

    def exec_module(module):
        try:
            del loader.exec_module
        except AttributeError:
            pass
        load(module)
        if module.__name__ == name:
            change(module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        pass


def add(directory):
    """Adds the table of a directory: Python loads one module of this name, and each such directory has one."""
    if directory == os.path.dirname(__file__):
        return
    try:
        loader = type(__loader__)(__name__, os.path.join(directory, __name__ + ".py"))
        module = {"__name__": None}
        exec(loader.get_code(__name__), module)
    except (OSError, ImportError, SyntaxError):
        return
    for name, file in module["LIBRARIES"].items():
        LIBRARIES.setdefault(name, file)


if __name__ == "_wheelfix_libraries":
    for _name, _change in _CHANGES.items():
        if _name in sys.modules:
            _change(sys.modules[_name])
    sys.meta_path.insert(0, _Finder)
