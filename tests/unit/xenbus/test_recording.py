"""The format: what is written is read again, and nothing of a hostile file gets through."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xenbus.errors import InvalidValue
from xenbus.perm import Perm
from xenbus.recording import OPS, Event, Header, Recording, Writer, bounded, is_recording, load, open_private

HEADER = Header("watches", 12.5, "4.17.5", "g", 5, ("/local/domain/5",))
HEAD = '{"xenstore-recording":1}\n'

events = st.builds(
    Event,
    st.integers(0, 10**9).map(lambda number: number / 1000),
    st.sampled_from(["have", "write"]),
    st.from_regex(r"/[a-z]{1,5}(/[a-z0-9-]{1,5}){0,3}", fullmatch=True),
    st.binary(max_size=40),
    st.none() | st.lists(st.builds(Perm, st.integers(0, 100), st.booleans(), st.booleans()), min_size=1).map(tuple),
    st.none() | st.integers(0, 100),
    st.integers(1, 5),
)


def text_of(recording: Recording) -> str:
    file = io.StringIO()
    writer = Writer(file, recording.header)
    for event in recording.events:
        writer.put(event)
    return file.getvalue()


@given(st.lists(events, max_size=5))
@settings(max_examples=60)
def test_there_and_back(some: list[Event]) -> None:
    recording = Recording(HEADER, (*some, Event(1e9, "end", error="it was enough")))
    text = text_of(recording)
    assert load(io.StringIO(text)) == recording and is_recording(text)
    assert load(io.StringIO(text)).ended == "it was enough"


def test_a_line_that_was_cut_off_is_left_out() -> None:
    text = text_of(Recording(HEADER, (Event(1, "write", "/a", b"1"), Event(2, "write", "/a", b"2"))))
    cut = load(io.StringIO(text[:-5]))
    assert [event.value for event in cut.events] == [b"1"] and cut.ended == ""


@pytest.mark.parametrize(
    "line, why",
    [
        ("nonsense", "line 2: it is no event"),
        ('{"t":1,"op":"boom","path":"/a"}', "line 2: it is no event"),
        ('{"t":NaN,"op":"write","path":"/a"}', "line 2: it is no event"),
        ('{"t":1,"op":"write","path":"/a b"}', "line 2: it has no path"),
        ('{"t":1,"op":"write"}', "line 2: it has no path"),
        ('{"t":1,"op":"write","path":"/a","value":7}', "line 2: its value is no text"),
        ('{"t":1,"op":"write","path":"/a","base64":"?"}', "line 2: "),
        ('{"t":1,"op":"write","path":"/a","perms":"x9"}', "line 2: "),
        ("[" * 5000, "line 2: it is no event"),
        ('"' + "x" * 70000, "line 2: it is too long"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        load(io.StringIO(HEAD + line + "\n"))


def test_a_file_without_line_ends_is_not_read_as_a_whole() -> None:
    file = io.StringIO("x" * (1 << 20))
    with pytest.raises(InvalidValue, match="line 1: it is too long"):
        load(bounded(file))
    assert file.tell() < 1 << 17


def test_other_files_are_refused() -> None:
    for text in ("", "[]\n", '{"xenstore-recording":2}\n', '{"xenstore": 1}\n'):
        with pytest.raises(InvalidValue):
            load(io.StringIO(text))
    assert not is_recording('{"xenstore": 1, "nodes": []}')


def test_senseless_parts_of_the_header_are_dropped() -> None:
    head = '{"xenstore-recording":1,"started":"x","domid":-1,"xen":7,"watched":["/a","a b",3],"target":"%s"}\n' % (
        "t" * 999
    )
    assert load(io.StringIO(head)).header == Header("", 0.0, "", "t" * 256, None, ("/a",))


def test_all_operations_are_read() -> None:
    for op in OPS:
        assert load(io.StringIO(f'{HEAD}{{"t":0,"op":"{op}","path":"/a"}}\n')).events[0].op == op


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("x")
    path.chmod(0o644)
    open_private(str(path)).close()
    assert os.stat(path).st_mode & 0o777 == 0o600 and path.read_text() == ""
