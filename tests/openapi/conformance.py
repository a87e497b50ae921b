#!/usr/bin/env python3
"""Holds a running daemon against its own OpenAPI document. First every operation must answer one of the samples with
success, and each answer must fit its schema, field by field; then schemathesis generates requests, right and wrong ones,
and looks for answers that the document does not allow. The last line is `N passed, N failed`.

Usage: conformance.py URL --sample name=value [--sample …] --body JSON [--body …] [--examples N]"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict

import schemathesis

SEED = 7


def samples(pairs: list[str]) -> dict[str, list[str]]:
    """The values that path parameters of each name may have."""
    found: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        name, value = pair.split("=", 1)
        found[name].append(value)
    return found


def parts_of(schema) -> set[str]:
    """Names of components that are parts of larger objects: they know their whole object's fields only there."""
    if isinstance(schema, list):
        return set().union(*map(parts_of, schema))
    if not isinstance(schema, dict):
        return set()
    parts = {part["$ref"].rsplit("/", 1)[1] for part in schema.get("allOf", []) if "$ref" in part}
    return parts.union(*map(parts_of, schema.values()))


def closed(schema):
    """The same schema, but with no field allowed that it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    parts = schema.get("allOf", [])
    schema = {key: value if key == "allOf" else closed(value) for key, value in schema.items()}
    if (parts or "properties" in schema) and "additionalProperties" not in schema:
        schema["unevaluatedProperties"] = False
    return schema


def strict(document: dict) -> dict:
    """The document with all its components closed that are whole."""
    components, parts = document["components"]["schemas"], parts_of(document)
    closed_ones = {name: one if name in parts else closed(one) for name, one in components.items()}
    return {**document, "components": {**document["components"], "schemas": closed_ones}}


def success(operation, values: dict[str, list[str]], bodies: list) -> list[str]:
    """Why an operation has no success whose answer fits; nothing if it has."""
    names = [p.name for p in operation.path_parameters]
    tries = [{"path_parameters": dict.fromkeys(names, value)} for value in (values[names[0]] if names else [""])]
    if operation.body:
        tries = [{"body": body, "media_type": "application/json"} for body in bodies]
    answered = 0
    for chosen in tries:
        case = operation.Case(**chosen)
        response = case.call()
        try:
            case.validate_response(response)
        except schemathesis.core.failures.FailureGroup as error:
            return [f"{operation.label} {chosen}: {error}"]
        answered += response.status_code in (200, 202)
    return [] if answered else [f"{operation.label}: no success among {tries}"]


def generated(url: str, examples: int, method: str, *more: str) -> int:
    """Runs schemathesis itself; its exit code."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/v1/openapi.json", "--checks", "all"]
    command += ["--max-examples", str(examples), "--seed", str(SEED), "--warnings", "off", "--no-color"]
    command += ["--request-timeout", "40", "--phases", "examples,coverage,fuzzing"]
    command += ["--include-method", method, *more]
    return subprocess.run(command, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).returncode


def main() -> int:
    """Both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--sample", action="append", default=[])
    parser.add_argument("--body", action="append", default=[], type=json.loads)
    parser.add_argument("--examples", type=int, default=30)
    args = parser.parse_args()
    values = samples(args.sample)
    schema = schemathesis.openapi.from_url(f"{args.url}/v1/openapi.json")
    schema = schemathesis.openapi.from_dict(strict(schema.raw_schema))
    schema.config.update(base_url=args.url)
    operations = [found.ok() for found in schema.get_all_operations()]
    faults = [fault for operation in operations for fault in success(operation, values, args.body)]
    print("\n".join(faults))
    # What is posted must be signed, and no generator can sign: a well-formed order may be refused.
    unsigned = "positive_data_acceptance"
    runs = [generated(args.url, args.examples, "GET")]
    runs += [generated(args.url, args.examples, "POST", "--exclude-checks", unsigned)]
    failed = len(faults) + sum(code != 0 for code in runs)
    print(f"{len(operations) + len(runs) - failed} passed, {failed} failed")
    return 1 if failed or not operations else 0


if __name__ == "__main__":
    sys.exit(main())
