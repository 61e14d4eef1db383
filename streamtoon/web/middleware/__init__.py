"""ASGI layers around Gradio's server."""
