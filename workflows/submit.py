"""A run on the whole cluster, started on its head: ray submit CLUSTER.yaml workflows/submit.py -- --corpus URI …"""

import os
import sys

from pipeline.run import main

os.environ.setdefault("RAY_ADDRESS", "auto")  # the cluster that this node belongs to
sys.exit(main(["--executor", "ray", *sys.argv[1:]]))
