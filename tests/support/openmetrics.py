"""Reads an OpenMetrics text as Prometheus's own library does, and writes what it has found as JSON."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name not in families, family.name
    families[family.name] = {
        "type": family.type,
        "unit": family.unit,
        "help": family.documentation,
        "samples": [[one.name, one.labels, one.value] for one in family.samples],
    }
json.dump(families, sys.stdout)
