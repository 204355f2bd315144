"""Print the N-th command of the README, so that what CI runs is what readers are told to run."""

import re
import sys
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text()
blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
sys.stdout.write(blocks[int(sys.argv[1]) - 1])
