"""How a stream leaves: datagrams, and a process of its own that speaks RTMP."""
