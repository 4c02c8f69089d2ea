"""In the Jupyter server: the extension, its handlers, the channel, who may do what."""
