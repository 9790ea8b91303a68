"""From scans to searchable PDF/A-3u records with Vietnamese text.

Hostile input is parsed here, so this package sees no keys and opens no network connection.
"""
