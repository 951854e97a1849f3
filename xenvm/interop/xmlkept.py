"""What libvirt's XML has no place for, in the metadata of a domain: `<xenvm:config xmlns:xenvm="urn:xenvm:1">`.

It holds a `setting` for each key of xl.cfg as a whole, an `item` for each element of a list that is no device to
libvirt at all, and a `disk`, `vif` or `pci` with those parts of a device that its element cannot express. libvirt keeps
metadata of others as it is.
"""

from __future__ import annotations

from xml.etree import ElementTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

NAMESPACE = "urn:xenvm:1"
_CONFIG = f"{{{NAMESPACE}}}config"


class Kept:
    """The metadata of one domain, to be filled or read."""

    def __init__(self, element: Element | None = None) -> None:
        ElementTree.register_namespace("xenvm", NAMESPACE)
        self.element = ElementTree.Element(_CONFIG) if element is None else element
        self.notes: list[str] = []
        """A sentence for each thing that is kept here."""

    def keep_setting(self, key: str, literal: str, place: str) -> None:
        """A whole setting; `literal` is its value in the language of xl.cfg."""
        self._add("setting", {"key": key}).text = literal
        self._note(place, f"`{key}'")

    def keep_item(self, key: str, text: str, place: str) -> None:
        """One string of a list."""
        self._add("item", {"key": key}).text = text
        self._note(place, f"`{text}'")

    def keep_device(self, kind: str, identity: str, parts: Mapping[str, str], place: str) -> None:
        """What the element of a device lacks. `identity` is its target, its place in the list or its address."""
        if parts:
            self._add(kind, {"id": identity, **parts})
            self._note(place, f"{', '.join(parts)} of the {kind} {identity}")

    def settings(self) -> dict[str, str]:
        """Keys and literals."""
        return {found.get("key", ""): found.text or "" for found in self._all("setting")}

    def items(self, key: str) -> list[str]:
        """The strings that belong to a list."""
        return [found.text or "" for found in self._all("item") if found.get("key") == key]

    def device(self, kind: str, identity: str) -> dict[str, str]:
        """What was kept of a device."""
        for found in self._all(kind):
            if found.get("id") == identity:
                return {key: value for key, value in found.attrib.items() if key != "id"}
        return {}

    def _note(self, place: str, what: str) -> None:
        self.notes.append(f"{place}: libvirt's XML has no place for {what}: kept in the metadata")

    def _add(self, name: str, attributes: dict[str, str]) -> Element:
        return ElementTree.SubElement(self.element, f"{{{NAMESPACE}}}{name}", attributes)

    def _all(self, name: str) -> list[Element]:
        return self.element.findall(f"{{{NAMESPACE}}}{name}")


def found_in(domain: Element) -> Kept:
    """What a domain's XML has kept; nothing if it is not from here."""
    return Kept(domain.find(f"metadata/{_CONFIG}"))
