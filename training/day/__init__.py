"""A day's plot, its log as text and its questions; pure Python, without pictures or sound."""
