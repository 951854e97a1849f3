"""The lab's parts that need neither a network nor a machine."""

import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xenvm import lab
from xenvm.lab import apt, builder, deps, host, image, process, qemu, suites, tools
from xenvm.lab.__main__ import main
from xenvm.lab.cpio import Cpio
from xenvm.lab.errors import LabExists, NoLab, ToolMissing
from xenvm.lab.modules import ModuleTree
from xenvm.lab.progress import Bar


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return image.cache_folder()


def saved(cache: Path, name: str, recipe: str = "r", age: int = 0) -> image.Image:
    made = image.Image(cache / "images" / name, "bookworm", recipe, ("a_1_all.deb",))
    made.path.mkdir(parents=True)
    made.save()
    when = 2_000_000_000 - age
    os.utime(made.path / "image.json", (when, when))
    return made


class TestTools:
    def test_a_missing_program_names_its_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
        with pytest.raises(ToolMissing, match="depmod is missing: install the Debian package kmod"):
            tools.require(["depmod"])

    def test_every_program_of_a_build_has_a_package(self) -> None:
        assert set(builder.TOOLS) <= set(tools.PACKAGES)

    def test_a_failure_carries_the_complaint(self) -> None:
        with pytest.raises(lab.LabError, match="no-such-file"):
            tools.run(["tar", "-tf", "/no-such-file"])

    def test_a_pipe_tells_which_side_failed(self, tmp_path: Path) -> None:
        with pytest.raises(lab.LabError, match="tar failed"):
            tools.pipe(["tar", "-cf", "-", "/dev/null"], ["tar", "-x", "-C", tmp_path / "none"])


class TestApt:
    def test_a_package_from_apts_line(self) -> None:
        line = "'http://m.invalid/x.deb' libgmp10_2%3a6.2.1+dfsg1-1.1_arm64.deb 537920 MD5Sum:00\n"
        match = apt._URI_LINE.match(line)
        assert match is not None
        package = apt._package(match["file"], int(match["size"]))
        assert package.spec == "libgmp10:arm64=2:6.2.1+dfsg1-1.1"
        assert apt._package("tzdata_1_all.deb", 1).spec == "tzdata=1"

    def test_progress_of_the_status_pipe(self) -> None:
        assert apt._percent("dlstatus:1:25.5:Retrieving file 1 of 3") == 0.255
        assert apt._percent("pmstatus") is None

    def test_what_only_configures_is_left_out(self) -> None:
        assert [n for n in ("perl-base", "initramfs-tools-core", "python3", "libc6") if apt._is_unwanted(n)] == [
            "perl-base", "initramfs-tools-core",
        ]  # fmt: skip

    def test_all_state_is_the_labs_own(self, tmp_path: Path) -> None:
        archive = apt.Archive(suites.SUITES["trixie"], tmp_path, mirror="http://m.invalid/debian")
        shown = subprocess.run(
            [tools.find("apt-config"), "-c", archive.config, "dump"], capture_output=True, text=True, check=True
        ).stdout
        places = dict(line.rstrip(";").replace('"', "").split(" ", 1) for line in shown.splitlines())
        for key in ("Dir::State", "Dir::State::lists", "Dir::Cache", "Dir::Etc::sourceparts", "Dir::Log"):
            assert places[key].startswith(str(tmp_path)), key
        assert places["Dir::State::status"] == places["Dir::Etc::sourcelist"] == "/dev/null"
        assert not [key for key in places if key.startswith(("APT::Update::", "DPkg::Post-Invoke::"))]
        stanza = (tmp_path / "apt/sources.d/lab.sources").read_text()
        assert "Suites: trixie\n" in stanza
        assert "Architectures: arm64 armhf\n" in stanza


class TestCpio:
    def test_folders_come_before_what_is_in_them_and_once(self) -> None:
        archive = Cpio()
        archive.file("a/b/c", b"1")
        archive.file("a/b/d", b"2")
        names = [name for name, _, _ in entries(archive.data())]
        assert names == ["a", "a/b", "a/b/c", "a/b/d", "TRAILER!!!"]

    def test_kinds_modes_and_contents(self) -> None:
        archive = Cpio()
        archive.file("init", b"#!/bin/sh\n", 0o755)
        archive.link("sh", "busybox")
        archive.node("console", 5, 1)
        found = {name: (mode, data) for name, mode, data in entries(archive.data())}
        assert found["init"] == (0o100755, b"#!/bin/sh\n")
        assert found["sh"] == (0o120777, b"busybox")
        assert found["console"][0] == 0o020600

    def test_the_same_contents_give_the_same_bytes(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            archive = Cpio()
            archive.file("x", b"data")
            archive.write(tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
        assert b"TRAILER!!!" in gzip.decompress((tmp_path / "one").read_bytes())


def entries(data: bytes) -> list[tuple[str, int, bytes]]:
    """A reader of the format, written from its document and not from the writer."""
    found, at = [], 0
    while at < len(data):
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        start = (at + 110 + length + 3) // 4 * 4
        found.append((name, mode, data[start : start + size]))
        at = (start + size + 3) // 4 * 4
    return found


class TestModules:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> ModuleTree:
        folder = tmp_path / "lib/modules/6.1.0-test"
        (folder / "kernel/fs").mkdir(parents=True)
        for name, info in {
            "ext4": b"\0depends=mbcache,jbd2\0softdep=pre: crc32c-generic\0",
            "jbd2": b"\0depends=\0",
            "mbcache": b"\0depends=jbd2\0",
        }.items():
            (folder / f"kernel/fs/{name}.ko").write_bytes(b"\x7fELF" + info)
        (folder / "kernel/crc32c-generic.ko.xz").write_bytes(lzma.compress(b"\x7fELF\0depends=built_in\0"))
        return ModuleTree.find(tmp_path)

    def test_each_comes_after_what_it_needs(self, tree: ModuleTree) -> None:
        assert tree.closure(["ext4", "no_such"]) == ["jbd2", "mbcache", "crc32c_generic", "ext4"]

    def test_compressed_ones_are_read_and_lose_their_suffix(self, tree: ModuleTree) -> None:
        assert tree.read("crc32c_generic").startswith(b"\x7fELF")
        assert tree.relative("crc32c_generic") == "kernel/crc32c-generic.ko"
        assert tree.version == "6.1.0-test"


class TestQemu:
    def test_the_ram_disk_lies_past_what_the_image_header_asks_for(self) -> None:
        header = bytearray(64)
        header[56:60] = b"ARM\x64"
        header[16:24] = (0x2600001).to_bytes(8, "little")
        assert qemu.initrd_address(bytes(header)) == 0x49000000 + 0x2800000

    def test_another_format_is_refused(self) -> None:
        with pytest.raises(lab.LabError, match="arm64 Image"):
            qemu.initrd_address(bytes(64))

    def test_command_line(self, cache: Path) -> None:
        made = saved(cache, "bookworm-a,b")
        kernel = bytearray(64)
        kernel[56:60] = b"ARM\x64"
        made.kernel.write_bytes(kernel)
        options = lab.Options(memory=8192, gic=2, xen_args="loglvl=all")
        argv = qemu.command("qemu", made, options, cache / "run/x", Path("/project"), 4321)
        text = " ".join(argv)
        assert "gic-version=2" in text
        assert "-m 8192" in text
        assert "bootscrub=0 loglvl=all" in text
        assert "bookworm-a,,b/disk.img,if=none,id=disk,format=raw,snapshot=on" in text
        assert "restrict=on,hostfwd=tcp:127.0.0.1:4321-:5000" in text
        assert text.count("readonly=on") == 2


class TestImages:
    def test_the_newest_comes_first_and_old_ones_go(self, cache: Path) -> None:
        for age in (3, 1, 2):
            saved(cache, f"bookworm-{age}", age=age)
        assert [made.path.name for made in image.built("bookworm")] == [f"bookworm-{i}" for i in (1, 2, 3)]
        image.prune("bookworm")
        assert [made.path.name for made in image.built("bookworm")] == ["bookworm-1", "bookworm-2"]
        assert image.built("trixie") == []

    def test_an_image_of_this_recipe_needs_no_network(self, cache: Path) -> None:
        saved(cache, "bookworm-old", recipe="other")
        ours = saved(cache, "bookworm-ours", recipe=builder.recipe(), age=9)
        assert builder.ensure("bookworm") == ours

    def test_an_unknown_suite_is_told(self, cache: Path) -> None:
        with pytest.raises(lab.LabError, match="bookworm, trixie"):
            builder.ensure("potato")

    def test_an_interrupted_build_is_swept_away(self, cache: Path) -> None:
        part = cache / "images/.bookworm-xyz"
        part.mkdir(parents=True)
        (host.run_folder() / part.name).mkdir()
        builder._sweep(part.parent, suites.SUITES["bookworm"])
        assert not part.exists()
        assert not (host.run_folder() / part.name).exists()


class TestDependencies:
    def test_packages_are_copied_without_what_another_python_cannot_use(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = tmp_path / "source"
        (source / "pkg_x/__pycache__").mkdir(parents=True)
        (source / "pkg_x/__init__.py").write_text("")
        (source / "pkg_x/fast.so").write_text("")
        (source / "single_x.py").write_text("")
        monkeypatch.syspath_prepend(str(source))
        missing = deps.copy(tmp_path / "site", ["pkg_x", "single_x", "none_x"])
        assert missing == ["none_x"]
        files = sorted(str(p.relative_to(tmp_path / "site")) for p in (tmp_path / "site").rglob("*.*"))
        assert files == ["pkg_x/__init__.py", "single_x.py"]

    def test_the_stamp_tells_edits_new_files_and_removals(self, tmp_path: Path) -> None:
        stamps = [deps.stamp(tmp_path)]
        (tmp_path / "a.py").write_text("1")
        stamps.append(deps.stamp(tmp_path))
        (tmp_path / "a.py").write_text("12")
        stamps.append(deps.stamp(tmp_path))
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git/index").write_text("")
        assert deps.stamp(tmp_path) == stamps[-1]
        (tmp_path / "a.py").unlink()
        assert deps.stamp(tmp_path) == stamps[0]
        assert len(set(stamps)) == 3

    def test_the_project_holds_both_packages(self) -> None:
        assert (deps.project_root() / "xenvm/__init__.py").exists()


class TestRunFolders:
    def test_a_dead_lab_is_seen_and_replaced(self, cache: Path) -> None:
        folder = host.run_folder() / "old"
        folder.mkdir()
        dead = host.Lab("old", "bookworm", folder, 1, lab.Options())
        dead._save()
        (folder / "pid").write_text(str(os.getpid()))  # alive, but no machine of ours
        assert lab.labs() == [dead]
        assert dead.pid is None
        with pytest.raises(NoLab):
            lab.find("old")
        with host._claimed("old") as claimed:
            assert list(claimed.iterdir()) == []
            with pytest.raises(LabExists, match="being brought up"), host._claimed("old"):
                pass
        dead.down()
        dead.down()
        assert lab.labs() == []

    def test_a_process_is_known_by_its_pid_file_and_ended(self, tmp_path: Path) -> None:
        script = "import sys, time; print('up', flush=True); time.sleep(600)"
        with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "pid")], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            (tmp_path / "pid").write_text(f"{child.pid}\n")
            assert process.pid_of(tmp_path) == child.pid
            process.stop(tmp_path)
            assert child.wait() == -15
        process.stop(tmp_path)

    def test_a_failed_start_leaves_nothing(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> int:
            raise lab.LabError("QEMU did not start")

        made = saved(cache, "bookworm-x")
        monkeypatch.setattr(process, "start", refuse)
        monkeypatch.setattr(tools, "find", str)
        with pytest.raises(lab.LabError, match="did not start"):
            host.boot(made, "x")
        assert list(host.run_folder().iterdir()) == []

    @pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a b"])
    def test_names_are_plain(self, name: str) -> None:
        with pytest.raises(lab.LabError, match="no name for a lab"):
            host.check_name(name)

    def test_only_the_user_may_look(self, cache: Path) -> None:
        assert host.run_folder().stat().st_mode & 0o077 == 0


class TestProgress:
    def test_without_a_terminal_each_step_is_a_line(self) -> None:
        out = io.StringIO()
        with Bar(out) as bar:
            for fraction in (0.0, 0.5, 1.0):
                bar("one", fraction)
            bar("two", None)
        assert [line.split(":")[0] for line in out.getvalue().splitlines()] == ["one", "two"]

    def test_on_a_terminal_it_is_drawn(self) -> None:
        out = io.StringIO()
        out.isatty = lambda: True  # type: ignore[method-assign]
        with Bar(out) as bar:
            bar("step", 0.5)
        assert "[###############...............]  50%  step" in out.getvalue()


class TestCommandLine:
    def test_status_lists_labs_and_images(self, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
        saved(cache, "bookworm-x")
        assert main(["status"]) == 0
        assert "image  bookworm     Xen 4.17" in capsys.readouterr().out

    def test_an_error_is_one_sentence(self, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["exec", "true"]) == 1
        assert capsys.readouterr().err == "xenvm lab: no lab is running\n"

    def test_state_survives_in_its_file(self, cache: Path) -> None:
        folder = host.run_folder() / "x"
        folder.mkdir()
        known = host.Lab("x", "trixie", folder, 99, lab.Options(memory=8192), ("fdt",))
        known._save()
        assert json.loads((folder / "lab.json").read_text())["options"]["memory"] == 8192
        assert lab.labs() == [known]
