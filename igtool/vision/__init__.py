"""Pictures: pixels to boxes, landmarks, measured facts and tags."""
