"""An image from packages: fetch, unpack, make the disk, boot it once to check it and to keep byte code."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from xenvm.lab import host, initrd, rootfs, suites, tools
from xenvm.lab.apt import Archive, Package
from xenvm.lab.image import Image, build_lock, built, cache_folder, prune, suite_named
from xenvm.lab.modules import ModuleTree
from xenvm.lab.progress import Progress, silent

TOOLS = ("apt-get", "apt-cache", "dpkg-deb", "tar", "fakeroot", "mke2fs", "depmod", "qemu-system-aarch64")
_RECIPE = ("suites.py", "rootfs.py", "initrd.py", "cpio.py", "modules.py", "builder.py")


def build(suite: str, progress: Progress = silent, *, mirror: str | None = None) -> Image:
    """The suite's image of today's packages: from the cache if nothing changed, or built."""
    chosen = suite_named(suite)
    tools.require(TOOLS)
    with build_lock(suite, progress):
        return _build(chosen, progress, mirror)


def ensure(suite: str, progress: Progress = silent) -> Image:
    """An image of this recipe, whatever the packages' versions; built if there is none."""
    chosen = suite_named(suite)
    ready = _of_this_recipe(suite)
    if ready is not None:
        return ready
    tools.require(TOOLS)
    with build_lock(suite, progress):
        # Another process may have built it while this one waited.
        return _of_this_recipe(suite) or _build(chosen, progress, None)


def _of_this_recipe(suite: str) -> Image | None:
    current = recipe()
    return next((image for image in built(suite) if image.recipe == current), None)


def _build(suite: suites.Suite, progress: Progress, mirror: str | None) -> Image:
    """Look up today's packages, and build from them unless that was done; under the lock."""
    downloads = cache_folder() / "download" / suite.name
    downloads.mkdir(parents=True, exist_ok=True)
    archive = Archive(suite, downloads, mirror=mirror)
    archive.update(progress)
    packages = archive.solve()
    path = cache_folder() / "images" / f"{suite.name}-{_key(packages)}"
    if (path / "image.json").exists():
        return Image.load(path)
    archive.fetch(packages, progress)
    return _build_into(path, suite, archive, packages, progress)


def recipe() -> str:
    """A hash over all that decides how packages become an image."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*(folder / name for name in _RECIPE), *(folder / "assets").iterdir()]):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _key(packages: Iterable[Package]) -> str:
    """The image's name: the recipe, and the versions that went in."""
    versions = hashlib.sha256("\n".join(p.file for p in packages).encode())
    return f"{recipe()}-{versions.hexdigest()[:12]}"


def _build_into(
    path: Path, suite: suites.Suite, archive: Archive, packages: list[Package], progress: Progress
) -> Image:
    """Build in a folder beside `path` and rename: an interrupted build leaves nothing."""
    path.parent.mkdir(exist_ok=True)
    _sweep(path.parent, suite)
    part = Path(tempfile.mkdtemp(prefix=f".{suite.name}-", dir=path.parent))
    try:
        image = Image(part, suite.name, recipe(), tuple(p.file for p in packages))
        _assemble(image, suite, archive, packages, progress)
        _seal(image, progress)
        image.save()
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    prune(suite.name)
    return Image.load(path)


def _sweep(images: Path, suite: suites.Suite) -> None:
    """Remove what a killed build left, its machine included; the lock says that none is at work."""
    for part in images.glob(f".{suite.name}-*"):
        host.remove(host.run_folder() / part.name)
        shutil.rmtree(part, ignore_errors=True)


def _assemble(image: Image, suite: suites.Suite, archive: Archive, packages: list[Package], progress: Progress) -> None:
    root, root32 = image.path / "root", image.path / "root32"
    own = [archive.path(p) for p in packages if p.arch != suites.GUEST32_ARCH]
    guest32 = [archive.path(p) for p in packages if p.arch == suites.GUEST32_ARCH]
    rootfs.unpack(own, root, progress, f"{suite.name}: unpack")
    rootfs.unpack(guest32, root32, progress, f"{suite.name}: unpack the 32-bit guest")
    progress(f"{suite.name}: kernels and RAM disks", None)
    tree = ModuleTree.find(root)
    _take_boot_files(image, root, root32)
    _make_initrds(image, root, tree, root32)
    rootfs.prune_modules(root, tree, suites.DOM0_MODULES)
    rootfs.configure(root, suite)
    shutil.copytree(image.guests, root / rootfs.GUESTS[1:], dirs_exist_ok=True)
    progress(f"{suite.name}: disk", None)
    rootfs.make_disk(root, image.disk)
    for folder in (root, root32):
        shutil.rmtree(folder)


def _take_boot_files(image: Image, root: Path, root32: Path) -> None:
    """Move the kernels and the hypervisor out of the unpacked trees."""
    image.guests.mkdir()
    shutil.copy(next((root / "boot").glob("xen-*-arm64")), image.xen)
    shutil.copy(next((root / "boot").glob("vmlinuz-*")), image.kernel)
    shutil.rmtree(root / "boot")
    (image.guests / "Image").hardlink_to(image.kernel)
    shutil.copy(next((root32 / "boot").glob("vmlinuz-*")), image.guests / "zImage-32")


def _make_initrds(image: Image, root: Path, tree: ModuleTree, root32: Path) -> None:
    busybox, busybox32 = root / "usr/bin/busybox", root32 / "usr/bin/busybox"
    initrd.build("initrd-init", busybox, tree, {"order": suites.INITRD_MODULES}, image.initrd)
    guest, modules = image.guests / "initrd.gz", {"order": suites.GUEST_MODULES, "9p": suites.GUEST_MODULES_9P}
    initrd.build("guest-init", busybox, tree, modules, guest)
    tree32 = ModuleTree.find(root32)
    initrd.build("guest-init", busybox32, tree32, modules, image.guests / "initrd-32.gz")


def _seal(image: Image, progress: Progress) -> None:
    """Boot the image once, writing to its disk: only its own Python can make its byte code."""
    label = f"{image.suite}: first boot"
    lab = host.boot(image, image.path.name, progress=progress, seal=True)
    try:
        progress(label, None)
        lab.run(["/usr/lib/xenvm-lab/warm-up"], timeout=900, check=True)
    finally:
        lab.down()
