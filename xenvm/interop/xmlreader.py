"""Reads XML such that what nobody asked for can be told afterwards."""

from __future__ import annotations

from xml.etree import ElementTree

from xenvm.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_MOST = 1 << 20
_SAYS_NOTHING = frozenset(("alias", "address", "emulator", "metadata", "memballoon"))
"""Elements that libvirt adds by itself, or that are looked at elsewhere."""


def parse_domain(data: bytes, source: str) -> Element:
    """The `<domain>` of a document. ConfigError with line and column if it is none; no entities are expanded."""
    if len(data) > _MOST:
        raise ConfigError(f"the document is longer than {_MOST} bytes", source=source)
    if b"<!" in data.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        raise ConfigError("a document type or entities have no place in a domain's XML", source=source)
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        line, column = error.position
        raise ConfigError(
            f"this is not XML: {error.msg.split(':')[0]}", source=source, line=line, column=column + 1
        ) from None
    if root.tag != "domain":
        raise ConfigError(f"a <{root.tag}> is no <domain>", source=source)
    return root


class XmlReader:
    """Elements and attributes of one document, and which of them were asked for."""

    def __init__(self, root: Element, source: str) -> None:
        self.root, self.source = root, source
        self._elements = {id(root)}
        self._attributes: set[tuple[int, str]] = set()

    def child(self, parent: Element | None, name: str) -> Element | None:
        """The first child of this name."""
        found = None if parent is None else parent.find(name)
        if found is not None:
            self._elements.add(id(found))
        return found

    def children(self, parent: Element | None, name: str) -> list[Element]:
        """All children of this name."""
        found = [] if parent is None else parent.findall(name)
        self._elements.update(map(id, found))
        return found

    def text(self, parent: Element | None, name: str) -> str:
        """The text of a child; empty if there is none."""
        found = self.child(parent, name)
        return "" if found is None else found.text or ""

    def attribute(self, element: Element | None, name: str) -> str:
        """An attribute; empty if there is none."""
        if element is None:
            return ""
        self._attributes.add((id(element), name))
        return element.get(name, "")

    def of(self, parent: Element | None, name: str, attribute: str) -> str:
        """An attribute of a child."""
        return self.attribute(self.child(parent, name), attribute)

    def number(self, text: str, what: str) -> int:
        """A decimal number; ConfigError that says what it should have been."""
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ConfigError(f"{what} is not a number: {text!r}", source=self.source)
        return int(text)

    def left(self) -> Iterator[str]:
        """Paths of what nobody asked for, such as ``devices/graphics`` or ``vcpu@current``."""
        yield from dict.fromkeys(self._left(self.root, ""))

    def _left(self, element: Element, path: str) -> Iterator[str]:
        for name in element.attrib:
            if (id(element), name) not in self._attributes:
                yield f"{path}@{name}"
        for child in element:
            below = f"{path}/{child.tag}".lstrip("/")
            if id(child) in self._elements:
                yield from self._left(child, below)
            elif child.tag not in _SAYS_NOTHING:
                yield below
