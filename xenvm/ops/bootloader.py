"""The kernel, ramdisk and command line of a guest that a bootloader in the host finds in its first disk."""

from __future__ import annotations

from xenvm.errors import ConfigError, ImageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.guest.spec import Bootloader, DiskSpec, GuestSpec
    from xenvm.host.open import Host
    from xenvm.host.plumbing.bootloader import Choice


class Booted:
    """A context: a guest with what its bootloader has chosen. Leaving it removes the images."""

    def __init__(self, host: Host, spec: GuestSpec, boot: Bootloader) -> None:
        self._host, self._spec, self._boot = host, spec, boot
        self._choice: Choice | None = None

    def __enter__(self) -> GuestSpec:
        spec, boot, disk = self._spec, self._boot, self._disk()
        release = self._host.hyper.version.release
        options = [*self._images(), *boot.arguments]
        choice = self._host.plumbing.bootloader.boot(
            boot.program, release, options, disk.target, restrict=boot.restrict, user=boot.user
        )
        self._choice = choice
        if choice.kernel is None:
            self.__exit__()
            raise ImageError(disk.target, f"the bootloader {choice.program} found no kernel in it: {choice.words}")
        # The bootloader was told the configuration's command line; what it leaves out is not there, as in libxl.
        return spec.replace(bootloader=None, kernel=choice.kernel, ramdisk=choice.ramdisk, cmdline=choice.cmdline or "")

    def __exit__(self, *exc: object) -> None:
        if self._choice is not None:
            self._choice.remove()

    def _disk(self) -> DiskSpec:
        first = next(iter(self._spec.disks), None)
        if first is None:
            raise self._error("`bootloader' needs a disk to look into")
        if first.backend != "0" or first.script is not None:
            raise self._error(f"`bootloader' cannot look into {first.vdev}, which is no file or device of this host")
        if first.format != "raw":
            raise self._error(f"`bootloader' cannot look into {first.vdev}, which is {first.format} and not raw")
        return first

    def _images(self) -> list[str]:
        """What the configuration says of the images in the disk."""
        spec = self._spec
        named = (("kernel", spec.kernel), ("ramdisk", spec.ramdisk), ("args", spec.cmdline))
        return [f"--{option}={value}" for option, value in named if value]

    def _error(self, reason: str) -> ConfigError:
        line, column = (self._spec.places or {}).get("bootloader", (0, 0))
        return ConfigError(reason, source=self._spec.source, line=line, column=column)
