"""A stack of N resources in the mix of a real team: the yardstick of every benchmark.

2 to 8 integrations (awaiting their role, so that nothing is signed), then 30 % datasets, 5 %
ontologies, 25 % projects (each with an ontology and a dataset), 25 % members, 15 % webhooks.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def stack_of(count: int) -> dict[str, Any]:
    """The stack as plain data."""
    integrations = max(2, min(8, count // 100))
    rest = count - integrations
    ontologies, projects, members, webhooks = (max(1, rest * p // 100) for p in (5, 25, 25, 15))
    datasets = rest - ontologies - projects - members - webhooks
    return {
        "stack": f"bench-{count}",
        "integrations": {
            f"i{n}": {"provider": "aws", "name": f"Bucket {n}", "read_bucket": f"bucket-{n}"}
            for n in range(integrations)
        },
        "datasets": {
            f"d{n}": {"name": f"Dataset {n}", "description": "Bench", "integration": f"i{n % integrations}"}
            for n in range(datasets)
        },
        "ontologies": {f"o{n}": ontology(n) for n in range(ontologies)},
        "projects": {
            f"p{n}": {
                "name": f"Project {n}",
                "description": "Bench",
                "media_type": "IMAGE",
                "quality": {"mode": "benchmark"},
                "ontology": f"o{n % ontologies}",
                "datasets": [f"d{n % datasets}"],
            }
            for n in range(projects)
        },
        "members": {
            f"person-{n}@example.com": (
                {"projects": {f"p{n % projects}": "LABELER"}} if n % 2 else {"role": "LABELER"}
            )
            for n in range(members)
        },
        "webhooks": {
            f"w{n}": {
                "project": f"p{n % projects}",
                "url": f"https://relay.example.com/{n}",
                "topics": ["LABEL_CREATED", "LABEL_UPDATED"],
                "secret": "${var.secret}",
            }
            for n in range(webhooks)
        },
        "variables": {"secret": {"secret": True}},
    }


def ontology(number: int) -> dict[str, Any]:
    """Eight tools, each with a radio, and two classifications."""
    return {
        "name": f"Ontology {number}",
        "media_type": "IMAGE",
        "tools": [
            {
                "tool": "rectangle",
                "name": f"Tool {n}",
                "color": f"#{n * 1000 + 100000:06x}",
                "classifications": [{"type": "radio", "name": "Size", "options": ["small", "large"]}],
            }
            for n in range(8)
        ],
        "classifications": [
            {"type": "checklist", "name": f"Question {n}", "options": ["yes", "no", "unsure"]}
            for n in range(2)
        ],
    }


def yaml_of(count: int) -> str:
    """The stack as a file a person could have written."""
    import yaml

    return yaml.dump(stack_of(count), sort_keys=False, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))


if __name__ == "__main__":
    sys.stdout.write(yaml_of(int(sys.argv[1])) if len(sys.argv) > 1 else json.dumps(stack_of(100)))
