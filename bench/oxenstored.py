"""Debian's oxenstored on a private socket, without Xen, root or installation, like tests.support.realstore."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.realstore import PROGRAMS, ROOT, library_path

HERE = Path(__file__).resolve().parent
_LOG_MAX = 64 << 20


@contextmanager
def oxenstored(folder: Path) -> Iterator[str]:
    """A running daemon; its socket's path. Its files go into the folder."""
    folder.mkdir()
    shim, config = folder / "shim.so", folder / "conf"
    argv = ["gcc", "-O2", "-shared", "-fPIC", f"-I{ROOT}/usr/include", "-o", shim, HERE / "oxenstored_shim.c"]
    subprocess.run(argv, check=True)
    (folder / "xsd_port").write_text("1")
    (folder / "xsd_kva").write_bytes(bytes(4096))
    keys = {"pid-file": "pid", "xenstored-kva": "xsd_kva", "xenstored-port": "xsd_port"}
    config.write_text("".join(f"{key} = {folder / name}\n" for key, name in keys.items()) + "persistent = false\n")
    argv = [PROGRAMS / "oxenstored", "--no-fork", "--no-access-log", "--config-file", config]
    environment = {"LD_PRELOAD": str(shim), "LD_LIBRARY_PATH": library_path(), "XENSTORED_SHIM": str(folder)}
    with (folder / "output").open("wb") as output, subprocess.Popen(argv, env=environment, stdout=output) as daemon:
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (_LOG_MAX, _LOG_MAX))
        try:
            while not (folder / "socket").exists():
                if daemon.poll() is not None:
                    raise RuntimeError(f"oxenstored ended with {daemon.returncode}")
                time.sleep(0.01)
            yield str(folder / "socket")
        finally:
            daemon.kill()
