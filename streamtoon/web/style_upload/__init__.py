"""Styles that users bring, checked before they are used."""
