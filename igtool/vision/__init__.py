"""Pictures: read, looked at and measured on this machine."""
