"""The settings of tests.golden.xlcases that are of no device: CPU lists, and whole assignments."""

from __future__ import annotations

CPUS = r"""
0
1
0-1
0-3
0,1
all
0-3,^1
^1,0-3
^1
^0-1,0-3
node:0
nodes:0
nodes:0-0
node:0,^1
^node:0,1
nodes:all
node:all
all,^0
all,^node:0
^all
0-
-1
1-0
x
0x1
01
 0
0, 1
0,^1
0, ^1
0, all
0 ,1
0,1
0,,1
,0
5000
0-5000
"""

RAW = r"""
vcpus=2;cpus=['0', '1']
vcpus=2;cpus=['0']
vcpus=1;cpus=['0', '1', '0']
vcpus=2;cpus='0';cpus_soft='1'
vcpus=2;cpus_soft=['1', '0-1']
vcpus=2;cpus=0
irqs=[40]
irqs=['40', 41]
irqs=['0x28']
irqs=[0x28]
irqs=['40 ']
irqs=[' 40']
irqs=[]
iomem=['fe000,1']
iomem=['0xfe000,0x10']
iomem=['fe000,1@2000']
iomem=['fe000']
iomem=['fe000,']
iomem=['fe000,1@']
iomem=['x,1']
iomem=['fe000,1,2']
iomem=[' fe000,1']
memory=256
memory='256'
memory=0x100
memory=0400
memory='512m'
memory=' 256'
memory=256;maxmem=512
maxmem=512
vcpus=2;maxvcpus=4
vcpus=0
vcpus='2'
on_poweroff='preserve'
on_crash='rename-restart'
on_reboot='coredump-restart'
on_watchdog='soft-reset'
on_crash='reboot'
on_crash='Destroy'
gic_version='v2'
gic_version='V3'
gic_version='v5'
vuart='sbsa_uart'
vuart='none'
tee='optee'
tee='none'
tee='x'
passthrough='disabled'
passthrough='share_pt'
passthrough='enabled'
passthrough='maybe'
cpu_weight=512
cap=50
period=10000;extratime=1
slice=5;latency=6
uuid='00112233-4455-6677-8899-aabbccddeeff'
uuid='00112233-4455-6677-8899-AABBCCDDEEFF'
uuid='0011'
uuid='00112233445566778899aabbccddeeff'
cmdline='a b'
root='/dev/xvda'
extra='quiet'
root='/dev/xvda';extra='quiet'
cmdline='a';extra='b'
shadow_memory=16
max_grant_frames=64
max_maptrack_frames=100
max_event_channels=2047
nomigrate=1
localtime=1
rtc_timeoffset=3600
driver_domain=1
pool='Pool-0'
type='pvh'
type='pv'
builder='generic'
device_tree='/x.dtb'
dtdev=['/soc/x']
dtdev=['/soc/x', '/soc/y']
name='other'
vif=['bridge=a', 'bridge=b']
vif=['bridge=a', ['bridge=b'], 'bridge=c']
vif='bridge=a'
vif=[]
disk=['/a,,xvda', '/b,,xvdb,r']
disk=['/a,,xvda', ['/b,,xvdb']]
seclabel='a:b:c'
acpi=0
vif=['bridge=a']+=['x']
memory=100;memory=200
vif=['bridge=a'];vif+=['bridge=b']
extra='a';extra+='b'
memory+=200
llc_colors=['0-3', '5']
llc_colors=['x']
llc_colors=['3-1']
sve='128'
sve='hw'
sve='100'
nr_spis=64
"""
