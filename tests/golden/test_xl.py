"""What we make of settings against what xl made of them, on a few hundred lines, good and bad.

Where xl refuses, we refuse. Where xl makes a guest, we make the same one, or refuse on purpose: those lines stand here
with the reason, and a line that stands here without need fails too.
"""

from __future__ import annotations

import pytest

from tests.golden import xlanswers
from tests.golden.xlcases import cases

STRICTER = {
    "a disk needs a target, and a vdev that Linux has": r"""
disk=[',,xvda']
disk=[',raw,xvda,r']
disk=['phy:,xvda,w']
disk=[',,,']
disk=['format=empty,vdev=xvda,target=/a']
disk=['vdev=xvda , target=/a']
disk=['vdev=xvda256,target=/a']
disk=['vdev=xvda01,target=/a']
disk=['vdev=xvda0,target=/a']
disk=['vdev=xvd,target=/a']
disk=['vdev=XVDA,target=/a']
disk=['vdev=hde,target=/a']
disk=['vdev=sdq,target=/a']
disk=['vdev=sda16,target=/a']
disk=['vdev=d3,target=/a']
disk=['vdev=vda,target=/a']
disk=['vdev=,target=/a']
""",
    "ARM has neither COLO nor emulated interfaces": r"""
disk=['colo,vdev=xvda,target=/a']
vif=['forwarddev=x']
vif=['type=ioemu']
""",
    "xl makes an address of what is none": r"""
vif=['mac=00:16:3e:01:02']
vif=['mac=00:16:3e:01:02:03:04']
vif=['mac=00:16:3e:01:02:0g']
vif=['mac=00163e010203']
vif=['mac=00:16:3e:01:02:']
vif=['mac=']
vif=['mac=100:16:3e:01:02:03']
""",
    "xl says a word, and leaves the part out": r"""
vif=['type=pci']
vif=['trusted=1']
vif=['bridge = a']
vif=['Bridge=a']
vif=['bogus']
vif=['bogus=1']
vif=['=a']
channel=['name=a,connection=pty,bogus=1']
memory='512m'
memory+=200
vif='bridge=a'
""",
    "no interface can have it": r"""
vif=['mtu=67']
""",
    "the dry run says nothing, the creation fails": r"""
channel=['name=a,connection=socket,path=a.sock']
channel=['connection=pty']
p9=['tag=t,path=/srv']
p9=['tag=t,security_model=none']
p9=['path=/srv,security_model=none']
p9=['tag=t,path=/srv,security_model=none,max-files=10']
vdispl=['connectors=:10x10']
vcpus=2;cpus='all,^node:0'
""",
    "xl reads the number that a text begins with": r"""
p9=['tag=t,path=/srv,security_model=none,type=xen_9pfsd,max-files=0x10']
vkb=['backend-type=linux,feature-abs-pointer=x']
vdispl=['connectors=id0:x']
vdispl=['connectors=id0:1920x1080x3']
vcpus=0
""",
    "a list ends at a list within, and the rest is lost": r"""
vif=['bridge=a', ['bridge=b'], 'bridge=c']
disk=['/a,,xvda', ['/b,,xvdb']]
""",
}
OTHER = {
    "vsnd=[['card', 'pcm', 'stream, unique-id=0']]": "a stream plays unless it says otherwise; libxl adds that later",
}
NEWER = {
    "4.17": (
        *("llc_colors", "sve", "nr_spis", "virtio=", "vlan=", "disk=['trusted", "disk=['untrusted"),
        *("p9=", "name=a=b", "connectors=:10x10"),
    ),
    "4.20": (),
}
"""What an xl does not know yet, and passes over or refuses; and where it splits texts unlike later ones."""
LINES = [line for group in cases().values() for line in group]


def stricter() -> set[str]:
    return {line for table in STRICTER.values() for line in table.strip().splitlines()}


@pytest.mark.parametrize("release", NEWER)
def test_the_goldens_are_of_these_lines(release: str) -> None:
    golden = xlanswers.from_text((xlanswers.FOLDER / f"{release}.txt").read_text())
    assert list(golden) == list(dict.fromkeys(LINES))
    assert stricter() | set(OTHER) <= set(golden)


@pytest.mark.parametrize("release", NEWER)
def test_as_xl_does(release: str) -> None:
    golden = xlanswers.from_text((xlanswers.FOLDER / f"{release}.txt").read_text())
    wrong = []
    for line, theirs in golden.items():
        if any(word in line for word in NEWER[release]):
            continue
        mine, its = xlanswers.meaning(xlanswers.ours(line)), xlanswers.meaning(theirs)
        on_purpose = mine is None and line in stricter()
        if (mine == its) if (on_purpose or line in OTHER) else (mine != its):
            wrong.append(f"{line}\n  xl:   {its}\n  ours: {mine}")
    assert not wrong, "\n".join(wrong)


def test_both_refuse_and_accept_many() -> None:
    golden = xlanswers.from_text((xlanswers.FOLDER / "4.20.txt").read_text())
    refused = [line for line, answer in golden.items() if answer is None]
    assert len(refused) > 100 and len(golden) - len(refused) > 250


def test_the_form_of_a_golden() -> None:
    answers: dict[str, xlanswers.Answer] = {"a=1": {"b_info.x": [1]}, "b='\\x'": None}
    assert xlanswers.from_text(xlanswers.as_text(answers)) == answers
