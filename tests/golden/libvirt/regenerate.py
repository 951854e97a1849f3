"""Makes the documents beside the configurations anew: ``python -m tests.golden.libvirt.regenerate``."""

from __future__ import annotations

from pathlib import Path

from xenvm.interop.to_xml import to_xml


def main() -> None:
    for path in sorted(Path(__file__).parent.glob("*.cfg")):
        converted, _ = to_xml(path.read_bytes(), path.name)
        path.with_suffix(".xml").write_text(converted.text)
        path.with_suffix(".notes").write_text("".join(f"{note}\n" for note in converted.notes))


if __name__ == "__main__":
    main()
