"""``python3 -m xenvm``, also from a checkout."""

from xenvm.cli import main

main()
