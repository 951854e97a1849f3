"""Kernel and ramdisk files: what is recognised, what is refused and why, and that every byte arrives."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xenvm.errors import ImageError
from xenvm.guest import image
from xenvm.guest.image import Blob, Held, Kernel, Source, open_kernel, open_ramdisk
from xenvm.types import Gpa


def arm64(text_offset: int = 0, size: int = 10_000, *, branch: int = 0xD503201F, magic: bytes = b"ARM\x64") -> bytes:
    header = struct.pack("<IIQQQQQQ4sI", branch, 0, text_offset, 1 << 24, 0xA, 0, 0, 0, magic, 0)
    return header + os.urandom(size - len(header))


def zimage(start: int = 0, size: int = 5_000) -> bytes:
    header = bytearray(b"\x00\x00\xa0\xe1" * 12)
    header[0x24:0x30] = struct.pack("<III", 0x016F2818, start, start + size)
    return bytes(header) + os.urandom(size - len(header))


def write(folder: Path, data: bytes, name: str = "file") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def load(source: Source, window: int = 1 << 30) -> bytes:
    """Reads a source window by window into memory that is not clean."""
    memory = bytearray(b"\xc2" * source.size)
    with source.open() as reader, memoryview(memory) as view:
        for start in range(0, source.size, window):
            reader.read_into(view[start : start + window])
    return bytes(memory)


def refused(path: str, reason: str) -> None:
    with pytest.raises(ImageError) as caught:
        open_kernel(path)
    assert caught.value.path == path
    assert reason in caught.value.reason


# Recognition


def test_an_arm64_image(tmp_path: Path) -> None:
    path = write(tmp_path, arm64())
    assert open_kernel(path) == Kernel(path, 64, Gpa(0x40000000), Gpa(0x40000000), 10_000)


def test_text_offset_moves_load_address_and_entry(tmp_path: Path) -> None:
    kernel = open_kernel(write(tmp_path, arm64(0x80000)))
    assert (kernel.load, kernel.entry) == (0x40080000, 0x40080000)
    assert kernel.region.end == 0x40080000 + 10_000


def test_an_old_arm64_image_is_known_by_its_first_instruction(tmp_path: Path) -> None:
    assert open_kernel(write(tmp_path, arm64(branch=0x14000008, magic=b"\0\0\0\0"))).bits == 64


def test_an_image_with_an_efi_stub(tmp_path: Path) -> None:
    assert open_kernel(write(tmp_path, b"MZ" + arm64()[2:])).bits == 64


@pytest.mark.parametrize(("start", "entry"), [(0, 0x40008000), (0x40208000, 0x40208000)])
def test_a_zimage(tmp_path: Path, start: int, entry: int) -> None:
    kernel = open_kernel(write(tmp_path, zimage(start)))
    assert (kernel.bits, kernel.load, kernel.entry, kernel.size) == (32, 0x40008000, entry, 5_000)


def test_the_shortest_kernels(tmp_path: Path) -> None:
    assert open_kernel(write(tmp_path, arm64(size=64))).size == 64
    assert open_kernel(write(tmp_path, zimage(size=0x30))).size == 0x30


@pytest.mark.parametrize(("make", "bits"), [(arm64, 64), (zimage, 32)])
def test_gzip_is_looked_into_and_counts_16_bytes_of_padding(tmp_path: Path, make: object, bits: int) -> None:
    data = arm64() if make is arm64 else zimage()
    kernel = open_kernel(write(tmp_path, gzip.compress(data)))
    assert (kernel.bits, kernel.gzip, kernel.size) == (bits, True, len(data) + 16)


# Refusals


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "too small for a kernel: 5 bytes"),
        (arm64()[:63], "too small"),
        (zimage()[:0x2F], "too small"),
        (b"\x7fELF" + bytes(100), "ELF file"),
        (b"\x27\x05\x19\x56" + bytes(100), "uImage"),
        (b"\xd0\x0d\xfe\xed" + bytes(100), "FIT"),
        (b"MZ\0\0zimg" + bytes(16) + b"zstd22\0" + bytes(100), "an EFI zboot image, zstd22 inside"),
        (b"MZ" + bytes(100), "an EFI program"),
        (b"\xfd7zXZ\0" + bytes(100), "with xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "with zstd"),
        (b"\x04\x22\x4d\x18" + bytes(100), "with lz4"),
        (b"\x02\x21\x4c\x18" + bytes(100), "with lz4"),
        (b"BZh9" + bytes(100), "with bzip2"),
        (b"\x5d\0\0\x80" + bytes(100), "with lzma"),
        (bytes(100), "neither an arm64 Image nor an arm zImage"),
        (arm64(0x80001), "text_offset of 0x80001"),
        (arm64(3 << 30), "beyond a guest's memory"),
        (arm64((1 << 64) - 4096), "beyond a guest's memory"),
        (gzip.compress(b"\x7fELF" + bytes(100)), "ELF file"),
        (gzip.compress(b"tiny"), "too small"),
        (gzip.compress(gzip.compress(bytes(100))), "too small"),
        (b"\x1f\x8b\x08", "truncated gzip"),
        (b"\x1f\x8b\x07" + bytes(100), "broken gzip"),
    ],
)
def test_what_cannot_be_booted_is_named(tmp_path: Path, data: bytes, reason: str) -> None:
    refused(write(tmp_path, data), reason)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    refused(str(tmp_path / "none"), "no such file")
    refused(str(tmp_path), "is a directory")
    refused(str(tmp_path / "fifo"), "not a regular file")
    refused("/dev/zero", "not a regular file")
    refused("a\0b", "null")


def test_more_than_a_gibibyte(tmp_path: Path) -> None:
    path = write(tmp_path, arm64())
    os.truncate(path, (1 << 30) + 1)
    refused(path, "larger than 1024 MiB")
    with pytest.raises(ImageError, match="larger"):
        open_ramdisk(path)
    os.truncate(path, 1 << 30)
    assert open_kernel(path).size == 1 << 30


def test_ramdisks(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(b"cpio"))
    assert open_ramdisk(path) == Blob(path, len(gzip.compress(b"cpio")))
    assert load(open_ramdisk(path)) == Path(path).read_bytes()
    with pytest.raises(ImageError, match="empty"):
        open_ramdisk(write(tmp_path, b""))


# Reading


@pytest.mark.parametrize("window", [1, 1000, 4096, 1 << 30])
def test_plain_files_arrive_window_by_window(tmp_path: Path, window: int) -> None:
    data = arm64()
    assert load(open_kernel(write(tmp_path, data)), window) == data


@pytest.mark.parametrize("window", [1, 1000, 10_000, 10_001, 10_008, 1 << 30])
def test_gzip_arrives_unpacked_with_zeros_behind(tmp_path: Path, window: int) -> None:
    data = arm64()
    assert load(open_kernel(write(tmp_path, gzip.compress(data))), window) == data + bytes(16)


def test_large_and_very_compressible_gzip(tmp_path: Path) -> None:
    data = arm64() + bytes(20 << 20) + os.urandom(1 << 20)
    assert load(open_kernel(write(tmp_path, gzip.compress(data, 1))), 3 << 20) == data + bytes(16)


def test_gzip_with_a_long_file_name(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(arm64()))
    packed[3] |= 8
    packed[10:10] = b"n" * 300_000 + b"\0"
    assert open_kernel(write(tmp_path, bytes(packed))).bits == 64


def test_bytes_in_memory_are_a_source_too() -> None:
    assert load(Held(b"tree" * 1000), 7) == b"tree" * 1000


def test_a_file_that_shrank_before_or_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, arm64())
    kernel = open_kernel(path)
    with kernel.open() as reader:
        os.truncate(path, 5_000)
        with pytest.raises(ImageError, match="became shorter"):
            reader.read_into(memoryview(bytearray(10_000)))
    with pytest.raises(ImageError, match="changed its size"):
        kernel.open()
    os.unlink(path)
    with pytest.raises(ImageError, match="no such file"):
        kernel.open()


def test_a_failed_read_leaves_no_hold_on_the_memory(tmp_path: Path) -> None:
    """While a slice of a mapping lives, even in a traceback, the mapping cannot be undone."""
    kernel = open_kernel(write(tmp_path, arm64()))
    with kernel.open() as reader:
        os.truncate(kernel.path, 5_000)
        memory = bytearray(10_000)
        view = memoryview(memory)
        with pytest.raises(ImageError):
            reader.read_into(view)
        view.release()
        memory.clear()


def with_isize(packed: bytes, size: int) -> bytes:
    return packed[:-4] + struct.pack("<I", size)


def endless(size: int) -> bytes:
    """A gzip stream of zeros whose trailer promises 64 bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return with_isize(packer.compress(arm64(size=64) + bytes(size)) + packer.flush(), 64)


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(arm64())[:-9],
        with_isize(gzip.compress(arm64()), 9_999),
        with_isize(gzip.compress(arm64()), 10_001),
        gzip.compress(arm64())[:-8] + bytes(4) + struct.pack("<I", 10_000),
        gzip.compress(arm64()) + b"padding!" + struct.pack("<I", 10_000 + 8),
        endless(50 << 20),
    ],
    ids=["cut off", "less promised", "more promised", "wrong checksum", "trailing bytes", "bomb"],
)
def test_gzip_whose_trailer_and_data_disagree(tmp_path: Path, packed: bytes) -> None:
    path = write(tmp_path, packed)
    with pytest.raises(ImageError, match="gzip"):
        load(open_kernel(path))


def test_a_gzip_trailer_beyond_the_limit(tmp_path: Path) -> None:
    refused(write(tmp_path, with_isize(gzip.compress(arm64()), (1 << 30) + 1)), "unpacks to more than 1024 MiB")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prefix=st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"MZ", b"\x08\0\0\x14", gzip.compress(arm64())]),
    tail=st.binary(max_size=200),
)
def test_any_bytes_load_or_are_refused(tmp_path: Path, prefix: bytes, tail: bytes) -> None:
    path = write(tmp_path, prefix + tail)
    try:
        kernel = open_kernel(path)
        if kernel.size < 1 << 24:
            assert len(load(kernel)) == kernel.size
    except ImageError as error:
        assert str(error).startswith(f"{path}: ")


@pytest.mark.parametrize(("bits", "address"), [(64, 0x40000000), (32, 0x40008000)])
def test_a_kernel_that_is_not_at_hand(bits: int, address: int) -> None:
    kernel = image.assumed_kernel("/boot/away", bits, 1 << 20)
    assert (kernel.bits, kernel.load, kernel.entry, kernel.size) == (bits, address, address, 1 << 20)


def test_small_files_are_read_whole_up_to_a_limit(tmp_path: Path) -> None:
    path = write(tmp_path, b"x" * (1 << 20))
    assert image.read_file(path, 1 << 20) == b"x" * (1 << 20)
    path = write(tmp_path, b"x" * ((1 << 20) + 1))
    with pytest.raises(ImageError, match="larger than 1 MiB"):
        image.read_file(path, 1 << 20)
