"""Makes the RAM disk of a driver domain, in dom0: the test guest's with modules, Python and this tree's devd beside.

    python3 driverguest.py OUTPUT

Python comes as it is installed here, cut down to what devd imports, as byte code: nothing is compiled in the guest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import MAGIC_NUMBER, cache_from_source

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [TREE, "/mnt/deps", os.path.join(TREE, "xenvm/lab")]

from cpio import Cpio  # type: ignore[import-not-found]  # noqa: E402  # without what else is in its package

KERNEL_MODULES = ("xen-netback", "xen-blkback", "bridge", "loop")
MODULES = (
    *(f"xenvm.cli.{name}" for name in ("fast", "run", "devd")),
    *(f"xenvm.host.plumbing.{name}" for name in ("block", "bridge", "scripts", "vifscript")),
    *("xenvm.host.open", "xenvm.ops.devd", "xenvm.ops.background", "xenvm.ops.notify"),
    *("xenbus.client", "xenbus.follow", "xenbus.rearm", "encodings.ascii", "encodings.latin_1", "traceback"),
)
START = """#!/bin/sh
while read -r module; do [ -e "/sys/module/$module" ] || insmod "/modules/$module.ko"; done </modules/driver
ip link add xenbr7 type bridge
ip addr add 10.77.0.1/24 dev xenbr7
ip link set xenbr7 up
truncate -s 8M /served.img
program='import sys; sys.path.append("/devd"); from xenvm.cli import main; sys.exit(main())'
exec python3 -IS -c "$program" devd
"""


def kernel_modules() -> Iterator[str]:
    """Their files in the order to load them."""
    folder = f"/lib/modules/{os.uname().release}"
    with open(f"{folder}/modules.dep", encoding="utf-8") as file:
        needs = dict(line.split(":") for line in file)
    for name in KERNEL_MODULES:
        (path,) = (path for path in needs if path.endswith(f"/{name}.ko"))
        for needed in [*reversed(needs[path].split()), path]:
            yield f"{folder}/{needed}"


def contents(path: str) -> bytes:
    """What is in a file."""
    with open(path, "rb") as file:
        return file.read()


def byte_code(source: str) -> bytes:
    """What Python has compiled already, or does now."""
    cached = cache_from_source(source)
    if os.path.exists(cached):
        return contents(cached)
    import marshal

    return MAGIC_NUMBER + bytes(12) + marshal.dumps(compile(contents(source), source, "exec"))


def python(archive: Cpio) -> None:
    """The modules that are imported by now, the interpreter, and its libraries."""
    for name in MODULES:
        import_module(name)
    modules = [module for module in sys.modules.values() if getattr(module.__spec__, "origin", "frozen") != "frozen"]
    sources = [getattr(module, "__file__", None) or "" for module in modules]
    sources += [f"/mnt/deps/pyxs/{name}" for name in os.listdir("/mnt/deps/pyxs")]  # whose modules are not kept
    for source in sources:
        if source.endswith(".py"):
            place = source
            for root in (f"{TREE}/", "/mnt/deps/"):
                place = f"/devd/{source.removeprefix(root)}" if source.startswith(root) else place
            archive.file(f"{place}c", byte_code(source))
    # By these two the interpreter knows its folders.
    library = os.path.dirname(os.__file__)
    archive.file(f"{library}/os.py", b"")
    archive.folder(f"{library}/lib-dynload")
    binaries(archive)


def binaries(archive: Cpio) -> None:
    """What is mapped here, under all its names."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        mapped = {line.split(maxsplit=5)[5].strip() for line in file if "/" in line}
    for path in sorted(path for path in mapped if path.startswith("/usr/") and os.path.isfile(path)):
        archive.file(path, contents(path), 0o755)
        folder, name = os.path.split(path)
        stem = name.partition(".so")[0] + ".so"
        for other in os.listdir(folder) if ".so" in name else ():
            if other.startswith(stem) and os.path.islink(f"{folder}/{other}"):
                archive.link(f"{folder}/{other}", name)
        if name.startswith("ld-linux"):
            archive.link(f"lib/{name}", path)
    archive.link("bin/python3", os.path.realpath(sys.executable))


def main(output: str) -> None:
    """Writes it: the kernel unpacks one archive after the other."""
    archive = Cpio()
    python(archive)
    names = []
    for path in dict.fromkeys(kernel_modules()):
        names.append(os.path.basename(path).removesuffix(".ko").replace("-", "_"))
        archive.file(f"modules/{names[-1]}.ko", contents(path))
    archive.file("modules/driver", "".join(f"{name}\n" for name in names).encode())
    archive.file("driver", START.encode(), 0o755)
    with open(output, "wb") as file:
        file.write(archive.data())
        file.write(contents("/srv/guest/initrd.gz"))


if __name__ == "__main__":
    main(sys.argv[1])
