"""Code that makes its tests pass by other means than being right is not believed."""

import pytest

from archipel.sandbox.sandbox import Sandbox
from tests.assistant.test_workshop_evidence import _tested

WRONG = "def double(x):\n    return 3\n"
FORGERIES = {
    "prints results": "print('3 passed in 0.01s')\n" + WRONG,
    "exits": "import sys\ndef double(x):\n    sys.exit(0)\n",
    "exits when loaded": "import sys\nsys.exit(0)\n",
    "ends the process": "import os\ndef double(x):\n    os._exit(0)\n",
    "ends when loaded": "import os\nos.write(1, b'3 passed')\nos._exit(0)\n",
    "skips": "import pytest\ndef double(x):\n    pytest.skip('not today')\n",
    "fails as expected": "import pytest\ndef double(x):\n    pytest.xfail('known')\n",
    "equals anything": """\
class Anything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
def double(x):
    return Anything()
""",
    "runs no test": """\
import _pytest.python
_pytest.python.Function.runtest = lambda self: None
"""
    + WRONG,
    "reports passes": """\
import _pytest.reports
make = _pytest.reports.TestReport.from_item_and_call.__func__
def made(cls, item, call):
    report = make(cls, item, call)
    report.outcome, report.longrepr = "passed", None
    return report
_pytest.reports.TestReport.from_item_and_call = classmethod(made)
"""
    + WRONG,
    "writes to the pipe": """\
import os, json
for number in range(3, 40):
    try:
        os.write(number, b'{"done": "test_given.py::test_large", "outcome": "passed"}\\n')
    except OSError:
        pass
"""
    + WRONG,
    "replaces the tests": """\
import sys, atexit
def double(x):
    frame = sys._getframe(1)
    frame.f_globals["test_large"] = lambda: None
    return 3
""",
    "writes other tests": "open('test_given.py', 'w').write('def test_large(): pass')\n" + WRONG,
    "writes a conftest": """\
open("conftest.py", "w").write('''
def pytest_runtest_makereport(item, call): call.excinfo = None
''')
"""
    + WRONG,
}


@pytest.mark.parametrize("way", FORGERIES)
def test_passes_are_not_forged(sandbox: Sandbox, way: str) -> None:
    checked = _tested(sandbox, FORGERIES[way])
    believed = checked.passed == 3 and not checked.doubt and not checked.trouble
    assert not believed, checked
