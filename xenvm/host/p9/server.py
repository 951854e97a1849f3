"""A server of 9P2000.L for one folder (diod's protocol.md): takes a request as bytes, gives the answer as bytes.

It knows nothing of Xen. Whatever is wrong with a request is answered by an errno of Linux.
"""

from __future__ import annotations

import os
from errno import EBADF, EINVAL, EIO, EISDIR, EMFILE, EMSGSIZE, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from struct import error as StructError
from struct import pack

from xenvm.host.p9 import files, wire
from xenvm.host.p9.tree import HELD_MAX, Tree, check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenvm.host.p9.tree import Node

MSIZE_MIN = 4096
_EXCLUSIVE, _REMOVE_FOLDER = 0o200, 0x200
"""O_EXCL and AT_REMOVEDIR, as the protocol has them."""
_LOCKED, _UNLOCKED = 0, 2


class Fid:
    """What a guest has a number for: a file of the folder, and its descriptor once it is open."""

    __slots__ = ("fd", "listing", "node", "uid")

    def __init__(self, node: Node, uid: int) -> None:
        self.node, self.uid = node, uid
        self.fd = -1
        self.listing: files.Listing | None = None

    def opened(self) -> int:
        """The descriptor; OSError."""
        if self.fd < 0:
            raise OSError(EBADF, "it is not open")
        return self.fd

    def close(self) -> None:
        """The end of what is open of it."""
        if self.listing:
            self.listing.close()
        if self.fd >= 0:
            os.close(self.fd)
        self.listing, self.fd = None, -1


class Server:
    """The folder `path`, for one guest; OSError if there is none.

    No message is larger than `msize`. With `strict` a file that cannot be given to its owner is an error.
    """

    def __init__(self, path: bytes | str, msize: int, *, strict: bool = False, limit: int = HELD_MAX) -> None:
        self._tree, self._limit, self._strict = Tree(path, limit), limit, strict
        self._msize_max = self.msize = msize
        """Agreed on with the guest; before that the most that there can be."""
        self._fids: dict[int, Fid] = {}

    def handle(self, request: bytes) -> bytes:
        """The answer, at most `msize` bytes. The request's header is whole."""
        try:
            name, values = wire.parse(request)
            found = wire.answer(request, getattr(self, f"_{name}")(*values))
            if len(found) > self.msize:
                raise OSError(EMSGSIZE, "no answer has room")
            return found
        except OSError as error:
            return wire.refusal(request, error.errno or EIO)
        except (ValueError, OverflowError, StructError):
            return wire.refusal(request, EINVAL)  # numbers and text that no call of the system takes, or no answer

    def close(self) -> None:
        """Gives up all that is held."""
        self._forget_all()
        self._tree.release(self._tree.root)

    def _forget_all(self) -> None:
        while self._fids:
            self._clunk(next(iter(self._fids)))

    def _fid(self, number: int) -> Fid:
        found = self._fids.get(number)
        if found is None:
            raise OSError(EBADF, "no such fid")
        return found

    def _node(self, number: int) -> Node:
        return self._fid(number).node

    def _folder(self, number: int) -> Node:
        node = self._node(number)
        if node.kind != S_IFDIR:
            raise OSError(ENOTDIR, "no folder")
        return node

    def _check_new(self, number: int) -> None:
        if number == wire.NO_FID or number in self._fids:
            raise OSError(EBADF, "the fid is taken")
        if len(self._fids) >= self._limit:
            raise OSError(EMFILE, "too many fids")

    def _owner(self, fid: Fid, gid: int) -> files.Owner:
        uid, gid = (-1 if each == wire.NO_UID else each for each in (fid.uid, gid))
        return files.Owner(uid, gid, self._strict)

    # Sessions.

    def _version(self, msize: int, version: bytes) -> bytes:
        if msize < MSIZE_MIN:
            raise OSError(EMSGSIZE, "messages are too small")
        self._forget_all()
        self.msize = min(msize, self._msize_max)
        known = version == wire.VERSION
        return pack("<I", self.msize) + wire.text(wire.VERSION if known else b"unknown")

    def _auth(self, _afid: int, _user: bytes, _tree: bytes, _uid: int) -> bytes:
        raise OSError(EOPNOTSUPP, "nobody has to prove who it is: the guest is known")

    def _attach(self, fid: int, afid: int, _user: bytes, tree: bytes, uid: int) -> bytes:
        if afid != wire.NO_FID:
            raise OSError(EINVAL, "nobody has asked for a proof")
        if tree not in (b"", b"/"):
            raise OSError(ENOENT, "there is one folder only")
        self._check_new(fid)
        self._fids[fid] = Fid(self._tree.hold(self._tree.root), uid)
        return self._tree.qid_of(self._tree.root)

    def _flush(self, _tag: int) -> bytes:
        return b""  # Requests are answered one after the other: that one has its answer.

    def _walk(self, number: int, new: int, names: list[bytes]) -> bytes:
        fid = self._fid(number)
        if new != number:
            self._check_new(new)
        elif fid.fd >= 0 and names:
            raise OSError(EINVAL, "it is open")
        node, qids = self._tree.hold(fid.node), list[bytes]()
        try:
            for name in names:
                below = self._tree.child(node, name)
                self._tree.release(node)
                node = below
                qids.append(self._tree.qid_of(node))
        except OSError:
            if not qids:
                self._tree.release(node)
                raise
        self._place(new, fid, node, len(qids) == len(names))
        return pack("<H", len(qids)) + b"".join(qids)

    def _place(self, new: int, fid: Fid, node: Node, whole: bool) -> None:
        """Gives a walk's end its number, if it came to its end."""
        if not whole:
            self._tree.release(node)
        elif self._fids.get(new) is fid:
            self._tree.release(fid.node)
            fid.node = node
        else:
            self._fids[new] = Fid(node, fid.uid)

    def _clunk(self, number: int) -> bytes:
        fid = self._fid(number)
        del self._fids[number]
        fid.close()
        self._tree.release(fid.node)
        return b""

    def _remove(self, number: int) -> bytes:
        self._clunk(number)  # as the protocol has it, whatever comes of it
        raise OSError(EOPNOTSUPP, "Tunlinkat does it")

    def _rename(self, _number: int, _folder: int, _name: bytes) -> bytes:
        raise OSError(EOPNOTSUPP, "Trenameat does it")

    # Attributes.

    def _getattr(self, number: int, _mask: int) -> bytes:
        return files.attributes(self._tree, self._node(number))

    def _setattr(self, number: int, valid: int, *values: int) -> bytes:
        files.change(self._node(number), valid, *values)
        return b""

    def _statfs(self, number: int) -> bytes:
        return files.statfs(self._node(number))

    def _readlink(self, number: int) -> bytes:
        node = self._node(number)
        if node.kind != S_IFLNK:
            raise OSError(EINVAL, "no link")
        return wire.text(os.readlink(b"", dir_fd=node.fd))

    def _xattrwalk(self, _number: int, _new: int, _name: bytes) -> bytes:
        raise OSError(EOPNOTSUPP, "there are no extended attributes")

    def _xattrcreate(self, _number: int, _name: bytes, _size: int, _flags: int) -> bytes:
        raise OSError(EOPNOTSUPP, "there are no extended attributes")

    # Files that are open.

    def _lopen(self, number: int, flags: int) -> bytes:
        fid = self._fid(number)
        if fid.fd >= 0:
            raise OSError(EINVAL, "it is open already")
        return self._opened(fid, files.open_node(fid.node, files.open_flags(flags)))

    def _opened(self, fid: Fid, fd: int) -> bytes:
        fid.fd = fd
        if fid.node.kind == S_IFDIR:
            fid.listing = files.Listing(self._tree, fid.node, fd)
        return self._tree.qid_of(fid.node) + pack("<I", 0)

    def _lcreate(self, number: int, name: bytes, flags: int, mode: int, gid: int) -> bytes:
        fid, folder = self._fid(number), self._folder(number)
        if fid.fd >= 0:
            raise OSError(EINVAL, "it is open already")
        ours, owner = files.open_flags(flags), self._owner(fid, gid)
        self._tree.check_room()
        try:
            fd = files.make_file(folder, check_name(name), ours, mode, owner)
        except FileExistsError:
            if flags & _EXCLUSIVE:
                raise
            fid.node = self._tree.child(folder, name)
            self._tree.release(folder)
            return self._opened(fid, files.open_node(fid.node, ours))
        fid.node = self._tree.opened(fd, folder)
        self._tree.release(folder)
        return self._opened(fid, fd)

    def _read(self, number: int, offset: int, count: int) -> bytes:
        fid = self._fid(number)
        if fid.listing:
            raise OSError(EISDIR, "a folder is read otherwise")
        return wire.data(os.pread(fid.opened(), self._fitting(count), offset))

    def _readdir(self, number: int, place: int, count: int) -> bytes:
        fid = self._fid(number)
        fid.opened()
        if not fid.listing:
            raise OSError(ENOTDIR, "no folder")
        return wire.data(fid.listing.read(place, self._fitting(count)))

    def _fitting(self, count: int) -> int:
        return min(count, self.msize - wire.DATA_OVERHEAD)

    def _write(self, number: int, offset: int, data: bytes) -> bytes:
        return pack("<I", os.pwrite(self._fid(number).opened(), data, offset))

    def _fsync(self, number: int, data_only: int) -> bytes:
        (os.fdatasync if data_only else os.fsync)(self._fid(number).opened())
        return b""

    def _lock(self, number: int, _type: int, _flags: int, _start: int, _length: int, _pid: int, _who: bytes) -> bytes:
        self._fid(number).opened()
        return bytes((_LOCKED,))  # The guest's kernel keeps its own; there are none between guests.

    def _getlock(self, number: int, _type: int, start: int, length: int, pid: int, who: bytes) -> bytes:
        self._fid(number).opened()
        return pack("<BQQI", _UNLOCKED, start, length, pid) + wire.text(who)

    # Folders.

    def _mkdir(self, number: int, name: bytes, mode: int, gid: int) -> bytes:
        return self._make(number, name, None, mode, gid)

    def _symlink(self, number: int, name: bytes, target: bytes, gid: int) -> bytes:
        return self._make(number, name, target, 0, gid)

    def _make(self, number: int, name: bytes, target: bytes | None, mode: int, gid: int) -> bytes:
        owner = self._owner(self._fid(number), gid)
        return files.make_other(self._tree, self._folder(number), check_name(name), target, mode, owner)

    def _mknod(self, number: int, name: bytes, mode: int, _major: int, _minor: int, gid: int) -> bytes:
        folder = self._folder(number)
        if S_IFMT(mode) not in (0, S_IFREG):
            raise OSError(EPERM, "no devices, FIFOs and sockets")
        fd = files.make_file(folder, check_name(name), os.O_RDWR, mode, self._owner(self._fid(number), gid))
        try:
            return self._tree.qid(os.fstat(fd))
        finally:
            os.close(fd)

    def _link(self, number: int, target: int, name: bytes) -> bytes:
        os.link(self._node(target).path, check_name(name), dst_dir_fd=self._folder(number).fd, follow_symlinks=True)
        return b""

    def _renameat(self, old: int, old_name: bytes, new: int, new_name: bytes) -> bytes:
        names = check_name(old_name), check_name(new_name)
        os.rename(*names, src_dir_fd=self._folder(old).fd, dst_dir_fd=self._folder(new).fd)
        return b""

    def _unlinkat(self, number: int, name: bytes, flags: int) -> bytes:
        remove = os.rmdir if flags & _REMOVE_FOLDER else os.unlink
        remove(check_name(name), dir_fd=self._folder(number).fd)
        return b""
