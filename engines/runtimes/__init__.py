"""The engines, a file each. Another package adds one as an entry point of the group ``streamtoon.engines``.

The module is named as its engine and has ``load(onnx_path, option, *, threads) -> Engine``, which raises EngineError,
or ImportError where its library is not installed: only there it is imported. ``ABOUT`` (engines.about) tells the rest.
"""
