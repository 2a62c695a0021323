# SPDX-License-Identifier: Apache-2.0

"""Checks what a command prints with "json" against its schema.

Usage: vmmob-schema.py SCHEMAS DAEMON COMMAND

Reads from stdin.  SCHEMAS is utilities/vmmob-json.schema.  What the schema does
not name is an error here.  Without the module jsonschema, which is in Debian's
python3-jsonschema, checks only that it is JSON and that there is a schema.
"""

import json
import sys

try:
    import jsonschema
except ImportError:
    jsonschema = None


def close(schema):
    """Returns 'schema', and lets no objects have members without name."""
    if isinstance(schema, list):
        return [close(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close(member) for name, member in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed["additionalProperties"] = False
    return closed


def main():
    with open(sys.argv[1]) as f:
        schemas = json.load(f)
    value = json.load(sys.stdin)
    schema = close(dict(schemas["commands"][" ".join(sys.argv[2:4])],
                        definitions=schemas["definitions"]))
    if jsonschema:
        jsonschema.Draft7Validator.check_schema(schema)
        jsonschema.validate(value, schema, cls=jsonschema.Draft7Validator)


if __name__ == "__main__":
    main()
