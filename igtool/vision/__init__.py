"""Pictures to people, points and facts."""
