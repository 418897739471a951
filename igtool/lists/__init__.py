"""Creator lists: read from CSV, JSON or the command line, and written again with cells filled."""
