"""Ask: page.py draws the conversation; the other files are its parts."""
