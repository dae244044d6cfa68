"""Why a score is what it is: contributions, reasons, curves, importance, and what if."""
