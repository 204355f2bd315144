"""Station 4: (graph, state, live) -> Plan. Pure: no wire, no YAML, no files but saved plans."""
