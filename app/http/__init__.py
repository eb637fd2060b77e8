"""What stands around every operation: errors, limits, headers, hosts, logs, connections and threads."""
