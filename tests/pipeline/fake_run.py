"""The command line with the fake stages: python -m tests.pipeline.fake_run --corpus …"""

import sys

from pipeline.run import main
from tests.pipeline import fake_stages

if __name__ == "__main__":
    fake_stages.register()
    sys.exit(main())
