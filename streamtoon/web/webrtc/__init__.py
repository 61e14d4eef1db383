"""The browser's camera by WebRTC."""
