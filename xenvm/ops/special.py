"""What few guests ask for, done at its place in a creation: schedulers, colors, claims, labels, the store's limits."""

from __future__ import annotations

from errno import EINVAL, ENOSYS

from xenbus.errors import StoreError
from xenbus.request import GetFeature, QuotaNames, SetFeature, SetQuota
from xenvm.errors import ConfigError, HypercallError, UnsupportedError
from xenvm.guest import virtio
from xenvm.guest.layout import MAGIC_GFNS
from xenvm.host.hyper import Scheduling
from xenvm.ops.wishes import Wishes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from xenbus.request import Request
    from xenvm.guest.blueprint import Blueprint
    from xenvm.guest.nodes import Device
    from xenvm.host.open import Host
    from xenvm.types import Domid

_FOR = {"weight": ("credit", "credit2"), "cap": ("credit", "credit2"), "period": ("rtds",), "extratime": ("rtds",)}
_KEYS = {"weight": "cpu_weight"}


class Special(Wishes):
    """The rarer wishes of one guest; each step does nothing unless something was wished for."""

    def __init__(self, host: Host, plan: Blueprint) -> None:
        self._host, self._hyper, self._plan, self._spec = host, host.hyper, plan, plan.spec
        self._features = self._final = 0

    def check(self, pool: int) -> None:
        """ConfigError, UnsupportedError."""
        self._check_scheduling(pool)
        self._find_labels()
        self._check_store()
        if self._spec.p9s:
            from xenvm.ops import folders

            folders.check(self._host, self._spec)

    def _check_scheduling(self, pool: int) -> None:
        wanted = [key for key in _FOR if getattr(self._spec.scheduling, key) is not None]
        scheduler = self._hyper.pool_scheduler(pool) if wanted else ""
        for key in wanted:
            if scheduler not in _FOR[key]:
                name = _KEYS.get(key, key)
                fitting = " and ".join(_FOR[key])
                raise self._config(
                    name, f"`{name}' is for the scheduler {fitting}; the guest's cpupool has {scheduler}"
                )

    def _find_labels(self) -> None:
        for key in ("init_seclabel", "seclabel"):
            label = getattr(self._spec, key)
            if label is None:
                continue
            try:
                self._final = self._hyper.security_id(label)
            except HypercallError as error:
                if error.errno == EINVAL:
                    raise self._config(key, f"`{key}': the security policy has no label `{label}'") from error
                if error.errno == ENOSYS:
                    raise UnsupportedError(f"`{key}' is not possible: this Xen is built without Flask") from error
                raise
            self.ssidref = self.ssidref or self._final

    def _check_store(self) -> None:
        mask, quotas = self._spec.xenstore_feature_mask, self._spec.xenstore_quota
        if mask is not None:
            self._features = self._ask(GetFeature(), "xenstore_feature_mask") & mask
        known = self._ask(QuotaNames(), "xenstore_quota") if quotas else ()
        for name, _ in quotas:
            if name not in known:
                raise self._config("xenstore_quota", f"`xenstore_quota': there is no {name}, only {', '.join(known)}")

    def _ask(self, request: Request, key: str) -> Any:
        reply = self._host.store.batch([request])[0]
        if isinstance(reply, StoreError):
            raise UnsupportedError(f"`{key}' is not possible: this host's xenstored has nothing of the kind") from reply
        return reply

    def created(self, domid: Domid) -> None:
        """Colors come before the first page."""
        if self._spec.llc_colors:
            try:
                self._hyper.set_llc_colors(domid, self._spec.llc_colors)
            except HypercallError as error:
                raise UnsupportedError(f"`llc_colors' is not possible: {error.detail or error}") from error

    def prepared(self, domid: Domid) -> None:
        """A claim needs the limit, and comes before the first page."""
        wanted = self._spec.scheduling
        if any(getattr(wanted, key) is not None for key in _FOR):
            params = Scheduling(wanted.weight, wanted.cap, wanted.period, None, wanted.extratime)
            self._hyper.set_scheduling(domid, params)
        if self._spec.claim:
            self._hyper.claim(domid, self._spec.maxmem // 4 + len(MAGIC_GFNS))

    def populated(self, domid: Domid) -> None:
        """What the claim was more than that goes back."""
        if self._spec.claim:
            self._hyper.claim(domid, 0)

    def devices(self, domid: Domid) -> list[Device]:
        """virtio devices: their back ends are programs that may be started at any time."""
        return [virtio.store_device(domid, device) for device in virtio.placed(self._spec.virtios)]

    def before_introduction(self, domid: Domid) -> Iterator[Request]:
        """Features can be chosen only now."""
        if self._spec.xenstore_feature_mask is not None:
            yield SetFeature(domid, self._features)

    def after_introduction(self, domid: Domid) -> Iterator[Request]:
        """Quotas are those of a domain that the store knows."""
        for name, value in self._spec.xenstore_quota:
            yield SetQuota(domid, name, value)

    def built(self, domid: Domid) -> None:
        """The label of the guest at work."""
        if self._final != self.ssidref:
            self._hyper.relabel(domid, self._final)

    def _config(self, key: str, reason: str) -> ConfigError:
        line, column = (self._spec.places or {}).get(key, (0, 0))
        return ConfigError(reason, source=self._spec.source, line=line, column=column)
