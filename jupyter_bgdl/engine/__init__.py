"""Moves bytes and knows nothing of sessions."""
