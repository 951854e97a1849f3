"""What xl does on real Xen, kept as text, and whether xenvm does the same without any Xen at hand.

``dtb/RELEASE-gicvN/NAME.dts``: device trees as libxl made them, printed by dtc; ``store/RELEASE/NAME-STATE.txt``: what
xl left in xenstore. The configurations are in configs.py; ``make golden`` makes all files anew, in the lab. The other
``*.dts`` here are our own: what xenvm prints, and a partial device tree for the guests.
"""
