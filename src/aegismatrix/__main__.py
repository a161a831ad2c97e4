"""`python -m aegismatrix` is the command `aegismatrix`."""

import sys

from aegismatrix.desk.cli.main import main

sys.exit(main())
