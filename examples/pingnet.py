"""A network back end on one page: a machine at the other end of the wire that answers ARP and ping, 10.9.0.1.

    python3 examples/pingnet.py              # serves the guests of this Xen host, until it is interrupted
    xenvm device-attach GUEST vif backend-kind=qnic handle=0 mac=00:16:3e:00:00:07
    guest# ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up; ping 10.9.0.1

The kernel claims ``backend/vif`` for itself; ``qnic`` is free for programs, and the guest's driver sees no difference.
"""

from __future__ import annotations

from struct import unpack

from xenvm.host.back import BackDriver
from xenvm.host.netback import NetBackend

MAC, ADDRESS = bytes.fromhex("00163efffe01"), bytes([10, 9, 0, 1])
ARP, IPV4 = b"\x08\x06", b"\x08\x00"
ARP_REQUEST, ARP_REPLY = bytes.fromhex("0001080006040001"), bytes.fromhex("0001080006040002")
ICMP, ECHO_REQUEST = 1, 8


class PingNet(NetBackend):
    """One interface; NetBackend has its rings."""

    def received(self, frame: bytes) -> None:
        """A frame from the guest: answers it if it is for us, and drops it otherwise."""
        sender, kind, payload = frame[6:12], frame[12:14], frame[14:]
        answer = {ARP: answer_arp, IPV4: answer_ping}.get(kind, lambda _payload: b"")(payload)
        if answer:
            self.deliver(sender + MAC + kind + answer)


def answer_arp(packet: bytes) -> bytes:
    """Tells who asks for our address what our MAC is (RFC 826)."""
    if len(packet) < 28 or packet[:8] != ARP_REQUEST or packet[24:28] != ADDRESS:
        return b""
    return ARP_REPLY + MAC + ADDRESS + packet[8:18]


def answer_ping(packet: bytes) -> bytes:
    """Sends an echo request back (RFC 792), without the options that a header can have."""
    size = int.from_bytes(packet[2:4], "big")
    if len(packet) < 28 or packet[0] != 0x45 or not 28 <= size <= len(packet) or packet[16:20] != ADDRESS:
        return b""
    echo = packet[20:size]
    if packet[9] != ICMP or echo[0] != ECHO_REQUEST or packet[6] & 0x3F or packet[7]:
        return b""
    reply = b"\0\0\0\0" + echo[4:]
    header = packet[:8] + b"\x40\x01\0\0" + ADDRESS + packet[12:16]
    return with_checksum(header, 10) + with_checksum(reply, 2)


def with_checksum(data: bytes, at: int) -> bytes:
    """The same bytes with the internet's checksum over them at an offset where zeros are (RFC 1071)."""
    words = unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])
    total = sum(words) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return data[:at] + (~total & 0xFFFF).to_bytes(2, "big") + data[at + 2 :]


def main() -> None:
    """Serves until it is interrupted."""
    from xenvm.host.open import Host
    from xenvm.host.serve import serve

    with Host() as host:
        print("serving backend/qnic", flush=True)
        serve(BackDriver("qnic", host.store, host.back_side(), PingNet.probe))


if __name__ == "__main__":
    main()
