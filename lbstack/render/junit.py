"""JUnit XML: a test case for each resource of a drift report, or for each problem of a stack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from lbstack.plan.drift import DriftReport
from lbstack.render.findings import Finding, field_lines, headline, skipped
from lbstack.render.words import safe
from lbstack.values import Address, Source

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold at all; none of it is left by `safe`."""


def drift_junit(report: DriftReport) -> str:
    """What is wrong fails, what is pending is skipped, the rest passes."""
    from junitparser import Failure, Skipped

    cases = []
    for each in report.resources:
        case = _case(str(each.address), f"drift.{each.address.kind}", each.source)
        if each.wrong:
            failure = Failure(_fit(headline(each)), str(each.verdict))
            failure.text = _fit("\n".join([headline(each), *field_lines(each, report)]))
            case.result = [failure]
        elif skipped(each):
            case.result = [Skipped(_fit(headline(each)), str(each.verdict))]
        cases.append(case)
    agreed = [_case(str(address), f"drift.{address.kind}") for address in report.agreed]
    return _document(f"drift of {report.stack}", [*cases, *agreed])


def problems_junit(name: str, findings: Sequence[Finding], good: Iterable[Address] = ()) -> str:
    """A failing case for each finding that is an error, a passing one for each resource that is good."""
    from junitparser import Failure

    cases = []
    for finding in findings:
        place = str(finding.source or finding.address or name)
        case = _case(f"{place}: {finding.text}", f"lbstack.{finding.rule}", finding.source)
        if finding.error:
            failure = Failure(_fit(finding.text), finding.rule)
            failure.text = _fit(f"{place}: {finding.text}")
            case.result = [failure]
        else:
            case.system_out = _fit(f"warning: {finding.text}")
        cases.append(case)
    cases += [_case(str(address), "lbstack.resource") for address in good]
    return _document(name, cases)


@cache
def _placed() -> type[Any]:
    """A test case with a place, as GitLab and others read it."""
    from junitparser import Attr, TestCase

    class Placed(TestCase):
        file = Attr("file")
        line = Attr("line")

    return Placed


def _case(name: str, group: str, source: Source | None = None) -> Any:
    case = _placed()(_fit(name), classname=_fit(group), time=0)
    if source is not None:
        case.file, case.line = _fit(source.file), str(source.line)
    return case


def _document(name: str, cases: Sequence[Any]) -> str:
    from junitparser import JUnitXml, TestSuite

    suite = TestSuite(_fit(name))
    suite.add_testcases(list(cases))
    whole = JUnitXml("lbstack")
    whole.add_testsuite(suite)
    text: bytes = whole.tostring()  # type: ignore[no-untyped-call]
    return text.decode()


def _fit(text: str) -> str:
    """Text that XML can hold and that forges no line; line ends of ours stay."""
    return _UNFIT.sub("", "\n".join(safe(line) for line in text.split("\n")))
