"""The command line with the fake stages: python -m fakes.run --corpus …"""

import sys

from fakes import stages as fake_stages
from pipeline.run import main

if __name__ == "__main__":
    fake_stages.register()
    sys.exit(main())
