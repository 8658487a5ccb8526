"""The dashboard's screens: each draws a snapshot and keeps nothing but what the user chose."""
