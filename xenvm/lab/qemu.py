"""The command line of QEMU that makes one lab's machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from xenvm.lab.errors import LabError
from xenvm.lab.image import Image

_KERNEL_ADDRESS = 0x49000000
_ALIGNMENT = 0x200000
#: Where dom0's command server listens, behind the user-mode network.
SERVER_PORT = 5000


@dataclass(frozen=True, slots=True)
class Options:
    """A machine's sizes; memory in MiB. Memory is only used as it is touched."""

    memory: int = 4096
    cpus: int = 2
    gic: int = 3
    dom0_mem: int = 1024
    xen_args: str = ""

    def as_dict(self) -> dict[str, int | str]:
        """For a lab's state file."""
        return asdict(self)


def command(
    qemu: str, image: Image, options: Options, folder: Path, project: Path, port: int, *, writable: bool = False
) -> list[str]:
    """Arguments for a daemon whose files are in `folder`; `project` is dom0's /mnt/xenvm, read-only."""
    xen = (
        f"console=dtuart dtuart=/pl011@9000000 dom0_mem={options.dom0_mem}M dom0_max_vcpus={options.cpus} "
        f"bootscrub=0 {options.xen_args}"
    )
    snapshot = "off" if writable else "on"
    return [
        qemu, "-name", f"xenvm-lab-{folder.name}", "-nodefaults", "-no-user-config", "-no-reboot",
        "-machine", f"virt,virtualization=on,gic-version={options.gic}", "-cpu", "cortex-a57",
        "-accel", "tcg,thread=multi", "-smp", str(options.cpus), "-m", str(options.memory),
        "-kernel", str(image.xen), "-append", xen.strip(),
        *_guest_loaders(image),
        "-drive", f"file={_quoted(image.disk)},if=none,id=disk,format=raw,snapshot={snapshot}",
        "-device", "virtio-blk-device,drive=disk",
        "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{SERVER_PORT}",
        "-device", "virtio-net-device,netdev=net",
        *_share("tree", project), *_share("lab", folder / "share"),
        "-display", "none", "-monitor", "none", "-serial", f"file:{folder / 'serial.log'}",
        "-pidfile", str(folder / "pid"), "-daemonize",
    ]  # fmt: skip


def initrd_address(kernel: bytes) -> int:
    """Past the end of an arm64 Image, whose header tells its size with the parts that are not in the file."""
    if kernel[56:60] != b"ARM\x64":
        raise LabError("dom0's kernel is no plain arm64 Image")
    size = max(int.from_bytes(kernel[16:24], "little"), len(kernel))
    end = _KERNEL_ADDRESS + size
    return (end + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT


def _guest_loaders(image: Image) -> list[str]:
    initrd = initrd_address(image.kernel.read_bytes())
    kernel = f"guest-loader,addr={_KERNEL_ADDRESS:#x},kernel={_quoted(image.kernel)}"
    return [
        "-device", f"{kernel},bootargs=console=hvc0 quiet rdinit=/init",
        "-device", f"guest-loader,addr={initrd:#x},initrd={_quoted(image.initrd)}",
    ]  # fmt: skip


def _share(tag: str, folder: Path) -> list[str]:
    return [
        "-fsdev", f"local,id={tag},path={_quoted(folder)},security_model=none,readonly=on,multidevs=remap",
        "-device", f"virtio-9p-device,fsdev={tag},mount_tag={tag}",
    ]  # fmt: skip


def _quoted(path: Path) -> str:
    """QEMU doubles the commas of an option's value."""
    return str(path).replace(",", ",,")
