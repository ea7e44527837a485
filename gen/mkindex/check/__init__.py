"""Judge an index by the rules that clients need; nothing here imports what renders or publishes one."""
