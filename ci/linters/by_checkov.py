"""What checkov finds in each set of manifests below a folder, one finding a line; a set that it stops at is named.

    by_checkov.py DIR STOPPED >found.tsv

Its command gives no report at all where one file stops it, and takes seconds to start, so its runners are called here,
once for each set.
"""

import contextlib
import io
import logging
import pathlib
import sys

from checkov.kubernetes.runner import Runner as Kubernetes
from checkov.runner_filter import RunnerFilter
from checkov.secrets.runner import Runner as Secrets


def findings(folder):
    """The findings in one set: check, object, line, text."""
    for runner, name in ((Kubernetes, "kubernetes"), (Secrets, "secrets")):
        with contextlib.redirect_stdout(io.StringIO()):
            report = runner().run(str(folder), runner_filter=RunnerFilter(framework=[name]))
        for found in (report if isinstance(report, list) else [report])[0].failed_checks:
            # A resource is KIND.NAMESPACE.NAME, and a secret has a file and a line alone.
            kind, _, rest = found.resource.partition(".")
            namespace, _, thing = rest.partition(".")
            secret = name == "secrets"
            yield (
                found.check_id,
                "" if secret else f"{kind} {namespace}/{thing}",
                str(found.file_line_range[0]) if secret else "",
                found.check_name,
            )


def main(root, stopped):
    logging.disable(logging.CRITICAL)
    with open(stopped, "w", encoding="utf-8") as refused:
        for folder in sorted(pathlib.Path(root).glob("*/*/")):
            try:
                for check, thing, line, text in findings(folder):
                    print(folder.name, "checkov", check, thing, line, text, sep="\t")
            except Exception as error:  # whatever stops it, the other sets are still to be judged
                print(f"{folder.name} ({type(error).__name__})", file=refused)


main(*sys.argv[1:])
