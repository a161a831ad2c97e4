"""`python -m aegismatrix` is the command `aegismatrix`."""

import sys

from aegismatrix.cli import main

sys.exit(main())
