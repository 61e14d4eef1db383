"""web: the same Toon and guard in a browser. ``app.py`` builds the page, ``serve.py`` puts it on the network.

Five tabs: Live (WebRTC), Photo, Film, Styles, Machine. Needs the extra ``web``; nothing here is imported without it.
"""
