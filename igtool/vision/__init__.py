"""Pictures: from bytes to what they show."""
