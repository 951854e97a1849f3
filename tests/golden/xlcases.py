"""Settings that xl and xenvm must understand alike, or differ in on purpose: one line each, good and bad ones.

What xl made of them lies in ``xl/``, by release of Xen; :mod:`tests.golden.regenerate` asks it again.
"""

from __future__ import annotations

from tests.golden.xlsettings import CPUS, RAW

DISKS = r"""
/dev/vg/a,raw,xvda,rw
/dev/vg/a,raw,xvda,w
/dev/vg/a,raw,xvda,r
/dev/vg/a,raw,xvda,ro
/dev/vg/a,raw,xvda,
/dev/vg/a,raw,xvda
/dev/vg/a,,xvda
/dev/vg/a,,xvda,ro
/dev/vg/a,raw,xvda,x
/dev/vg/a,raw,xvda,rwx
/dev/vg/a,raw,xvda,rw,more
/dev/vg/a,xvda,w
/dev/vg/a
/dev/vg/a,raw
,,xvda
,raw,xvda,r
vdev=xvda
target=/dev/vg/a
vdev=xvda,target=/dev/vg/a
vdev=xvda,target=/a,b,c
vdev=xvda,target=/a,
vdev=xvda,target=/a b
vdev=xvda,target=foo:/x
foo:/x,raw,xvda
rbd:pool/img,raw,xvda
rbd:pool/img,vdev=xvda
format=raw,vdev=xvda,access=rw,target=/a
format=qcow2,vdev=xvda,access=ro,target=/a
format=qcow,vdev=xvda,target=/a
format=vhd,vdev=xvda,target=/a
format=qed,vdev=xvda,target=/a
format=,vdev=xvda,target=/a
format=empty,vdev=xvda,target=/a
format=vmdk,vdev=xvda,target=/a
format=RAW,vdev=xvda,target=/a
Format=raw,vdev=xvda,target=/a
access=w,vdev=xvda,target=/a
access=,vdev=xvda,target=/a
access=rx,vdev=xvda,target=/a
backendtype=phy,vdev=xvda,target=/a
backendtype=qdisk,vdev=xvda,target=/a
backendtype=tap,vdev=xvda,target=/a
backendtype=blk,vdev=xvda,target=/a
backend=disks,vdev=xvda,target=/a
backend=,vdev=xvda,target=/a
script=block-iscsi,vdev=xvda,target=/a
script=/x/y,vdev=xvda,target=/a
devtype=disk,vdev=xvda,target=/a
devtype=cdrom,vdev=xvda,target=/a
devtype=tape,vdev=xvda,target=/a
cdrom,vdev=xvda,target=/a
cdrom,vdev=hdc
cdrom,vdev=hdc,target=
,hdc:cdrom,r
,hdc:cdrom
/iso,hdc:cdrom,r
/iso,raw,hdc:cdrom,r
/iso,raw,xvda:disk,w
/iso,raw,xvda:tape,w
discard,vdev=xvda,target=/a
no-discard,vdev=xvda,target=/a
discard,no-discard,vdev=xvda,target=/a
direct-io-safe,vdev=xvda,target=/a
trusted,vdev=xvda,target=/a
untrusted,vdev=xvda,target=/a
trusted,untrusted,vdev=xvda,target=/a
specification=xen,vdev=xvda,target=/a
specification=virtio,vdev=xvda,target=/a
specification=pci,vdev=xvda,target=/a
vdev=xvda,vdev=xvda,target=/a
vdev=xvda,vdev=xvdb,target=/a
format=raw,format=raw,vdev=xvda,target=/a
format=raw,format=qcow2,vdev=xvda,target=/a
access=r,access=w,vdev=xvda,target=/a
/a,raw,xvda,target=/b
/a,raw,xvda,vdev=xvdb
 vdev=xvda, target=/a
vdev=xvda , target=/a
vdev=xvda,  access=ro,target=/a
bogus=1,vdev=xvda,target=/a
bogus,vdev=xvda,target=/a
bogus,vdev=xvda
a=b,raw,xvda
raw:/a,xvda,w
raw:/a,raw,xvda,w
qcow2:/a,xvda,w
qcow:/a,xvda,w
vhd:/a,xvda,w
phy:/dev/a,xvda,w
phy:/dev/a,raw,xvda,w
phy:/dev/a,xvda
phy:vg/a,xvda,w
file:/a,xvda,w
file:/a,hda,w
tap:qcow2:/a,xvda,w
tap2:tapdisk:aio:/a,xvda,w
tap:aio:/a,xvda,w
tapdisk:/a,xvda,w
ioemu:/a,xvda,w
aio:/a,xvda,w
iscsi:/a,xvda,w
nbd:/a,xvda,w
enbd:/a,xvda,w
drbd:/a,xvda,w
drbd:res0,raw,xvda,w
drbd:res0,xvda,w
qcow2:raw:/a,xvda,w
phy:,xvda,w
phy:/a
vdev=xvdp,target=/a
vdev=xvdq,target=/a
vdev=xvdz,target=/a
vdev=xvdaa,target=/a
vdev=xvda1,target=/a
vdev=xvda15,target=/a
vdev=xvda16,target=/a
vdev=xvda256,target=/a
vdev=xvda01,target=/a
vdev=xvda0,target=/a
vdev=xvd,target=/a
vdev=XVDA,target=/a
vdev=hda,target=/a
vdev=hdd,target=/a
vdev=hde,target=/a
vdev=sda,target=/a
vdev=sdp,target=/a
vdev=sdq,target=/a
vdev=sda15,target=/a
vdev=sda16,target=/a
vdev=d3p1,target=/a
vdev=d3,target=/a
vdev=51712,target=/a
vdev=0xca00,target=/a
vdev=vda,target=/a
vdev=,target=/a
colo,vdev=xvda,target=/a
no-colo,vdev=xvda,target=/a
,
,,,

"""

VIFS = r"""

bridge=xenbr0
bridge=
mac=00:16:3e:01:02:03
mac=00:16:3E:AA:BB:CC
mac=00-16-3e-01-02-03
mac=00.16.3e.01.02.03
mac=0:16:3e:1:2:3
mac=00:16:3e:01:02
mac=00:16:3e:01:02:03:04
mac=00:16:3e:01:02:0g
mac=00163e010203
mac=00:16:3e:01:02:
mac=
mac=100:16:3e:01:02:03
mac=00:00:00:00:00:00
ip=10.0.0.1
ip=10.0.0.1 10.0.0.2
script=vif-route
script=/x/vif
gatewaydev=eth0
netdev=eth0
backend=net
vifname=web0
model=e1000
model=rtl8139
type=vif
type=ioemu
type=pci
accel=x
mtu=1500
mtu=9000
mtu=67
mtu=x
vlan=10
vlan=10/20
devid=3
trusted
untrusted
trusted=1
rate=10Mb/s
rate=10MB/s
rate=1Gb/s
rate=1GB/s
rate=250KB/s
rate=8000b/s
rate=1000B/s
rate=10Mb/s@50ms
rate=10Mb/s@1s
rate=10Mb/s@500us
rate=10Mb/s@5000
rate=10Mb/s@5
rate=1MB/s@20ms
rate=10mb/s
rate=10M
rate=10
rate=Mb/s
rate=0Mb/s
rate=010Mb/s
rate=10Mb/sx
rate=10Mb/s@
rate=10Mb/s@x
rate=10Mb/s@50
rate=10Mb/s@0
rate=99999999999Gb/s
rate=10Mb/s@50m
bridge=a,bridge=b
bridge=a,mac=00:16:3e:01:02:03,ip=1.2.3.4,rate=1MB/s,vifname=v
 bridge=a
bridge=a, ip=1.2.3.4
bridge=a ,ip=1.2.3.4
,,bridge=a,,
bridge = a
Bridge=a
bogus
bogus=1
=a
forwarddev=x
"""

CHANNELS = r"""
name=a,connection=pty
connection=pty,name=a
 name = a , connection = pty
name=a,connection=pty,path=/x
name=a,connection=socket,path=/run/a.sock
name=a,connection=socket
name=a,connection=socket,path=a.sock
name=a
connection=pty
name=a,connection=tty
name=a,connection=PTY
name=a,connection=pty,backend=other
name=a,connection=pty,bogus=1
name=a,connection=pty,bogus
name=a=b,connection=pty
name=,connection=pty
name=a,,connection=pty
"""

P9S = r"""
tag=t,path=/srv,security_model=none
tag=t,path=/srv,security_model=mapped,backend=0
 tag = t , path = /srv , security_model = none
tag=t,path=/srv
tag=t,security_model=none
path=/srv,security_model=none
tag=t,path=/srv,security_model=none,bogus=1
tag=t,path=/srv,security_model=none,bogus
tag=t,path=/srv,security_model=none,type=qemu
tag=t,path=/srv,security_model=none,type=xen_9pfsd
tag=t,path=/srv,security_model=none,type=xen_9pfsd,max-files=10,max-open-files=5,max-space=100,auto-delete=1
tag=t,path=/srv,security_model=none,type=xen_9pfsd,max-files=x
tag=t,path=/srv,security_model=none,type=xen_9pfsd,max-files=0x10
tag=t,path=/srv,security_model=none,max-files=10
tag=t,path=/srv,security_model=none,type=nfs
security_model=none,type=xen_9pfsd
"""

VKBS = r"""
backend-type=qemu
backend-type=linux
backend-type=LINUX
backend-type=other

unique-id=K
backend-type=linux,unique-id=K
backend-type=linux,backend=input,unique-id=K
backend-type=linux,feature-disable-keyboard=1
backend-type=linux,feature-disable-pointer=1
backend-type=linux,feature-abs-pointer=1,feature-raw-pointer=1
backend-type=linux,feature-abs-pointer=0
backend-type=linux,feature-abs-pointer=2
backend-type=linux,feature-abs-pointer=x
backend-type=linux,feature-multi-touch=1
backend-type=linux,feature-multi-touch=1,multi-touch-width=100,multi-touch-height=200,multi-touch-num-contacts=5
backend-type=linux,multi-touch-width=100
backend-type=linux,width=1920,height=1080
backend-type=linux,width=0x10
backend-type=linux, width=10
backend-type=linux,bogus=1
backend-type=linux,bogus
"""

VDISPLS = r"""
connectors=id0:1920x1080
connectors=id0:1920x1080;id1:800x600
backend=1,connectors=id0:1920x1080
backend=show,be-alloc=1,connectors=id0:1920x1080
be-alloc=0,connectors=id0:1920x1080
be-alloc=1
connectors=
connectors=id0:1920
connectors=id0:x
connectors=id0:1920x1080x3
bogus=1,connectors=id0:1920x1080
connectors=id0:1920x1080, be-alloc=1
connectors=:10x10
"""

VIRTIOS = r"""
type=virtio,device22,transport=mmio
type=virtio,device29,transport=mmio,backend=0
type=virtio,device22,transport=mmio,grant_usage=1
type=virtio,device22,transport=mmio,grant_usage=0
transport=mmio,type=virtio,device26
backend=other,type=virtio,device22,transport=mmio
type=virtio,device22,transport=pci
type=virtio,device,transport=mmio
type=virtio,device22,transport=mmio,bogus=1
"""

VSNDS = r"""
'card', 'pcm', 'stream, unique-id=0'
'card, backend=0, short-name=c, long-name=long', 'pcm, name=p', 'stream, unique-id=0, type=P'
'CARD', 'Pcm, name=p', 'STREAM, unique-id=0, type=c'
'card, sample-rates=8000;44100, sample-formats=s16_le;u8, channels-min=1, channels-max=2, buffer-size=65536'
'pcm, name=p, channels-max=2', 'stream, unique-id=0, type=p', 'stream, unique-id=1, type=c', 'pcm, name=q'
'stream, unique-id=0, type=p'
'card, sample-formats=S16_LE'
'card, sample-formats=s17'
'card, bogus=1'
'pcm, short-name=x'
'stream, unique-id=0, type=x'
'drum'
'card, short-name'
"""


def cases() -> dict[str, list[str]]:
    """Assignments by the key that they are about."""
    found = {
        key: [_assignment(key, line) for line in table.removeprefix("\n").splitlines()]
        for key, table in (
            *(("disk", DISKS), ("vif", VIFS), ("channel", CHANNELS), ("p9", P9S), ("vkb", VKBS), ("vdispl", VDISPLS)),
            *(("virtio", VIRTIOS), ("vsnd", VSNDS), ("cpus", CPUS)),
        )
    }
    found["other"] = RAW.strip().splitlines()
    return found


def _assignment(key: str, line: str) -> str:
    if key == "vsnd":
        return f"vsnd=[[{line}]]"
    if key == "cpus":
        return f"vcpus=2;cpus='{line}'"
    return f"{key}=['{line}']"
