"""Print how many tests of a JUnit report passed and how many did not."""

import sys
from xml.etree import ElementTree as ET

suites = ET.parse(sys.argv[1]).getroot().iter("testsuite")
total, bad = 0, 0
for suite in suites:
    total += int(suite.get("tests", 0)) - int(suite.get("skipped", 0))
    bad += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
print(total - bad, bad)
