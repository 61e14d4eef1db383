"""The page's tabs, one file each, and their theme."""
